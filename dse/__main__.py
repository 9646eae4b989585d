"""The command line: `dse`, or `python -m dse`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent.parent


def own_modules_first() -> None:
    """Keep the current folder's modules from standing in for ours, as `python -m` would let them."""
    if sys.path and Path(sys.path[0] or ".").resolve() != HERE:
        sys.path[0] = str(HERE)


def run_folder(*candidates: Any) -> str:
    """The first folder that is given."""
    return next(str(folder) for folder in candidates if folder)


def application() -> None:
    """Hydra's application: compose the configuration and do its task."""
    import hydra
    from hydra.utils import get_method
    from omegaconf import OmegaConf

    from dse.compose import CONFIG_NAME, conf_folder

    OmegaConf.register_new_resolver("run_folder", run_folder, replace=True)

    @hydra.main(version_base="1.3", config_path=str(conf_folder()), config_name=CONFIG_NAME)
    def task(config: Any) -> None:
        get_method(config.task._target_)(config)

    task()


def main() -> None:
    """Run; an error is one message on the standard error and an exit code of 1, with the traceback if asked for."""
    own_modules_first()
    traceback = os.environ.get("HYDRA_FULL_ERROR", "0") == "1"
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then hands errors on instead of printing them itself
    try:
        application()
    except KeyboardInterrupt:
        print("\nstopped; a search goes on where it was with the same command and resume=FOLDER", file=sys.stderr)
        raise SystemExit(130) from None
    except Exception as error:
        if traceback:
            raise
        from dse.messages import message

        print(f"dse: {message(error)}", file=sys.stderr)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
