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


def run_folder(resumed: Any, fresh: Any) -> str:
    """The folder of this run: the one that is gone on with, which must be there, or a fresh one."""
    if resumed and not Path(str(resumed)).is_dir():
        raise FileNotFoundError(f"resume: there is no folder {str(resumed)!r}; name the folder of an earlier run")
    return str(resumed or fresh)


def application(asked_for_traceback: bool) -> int:
    """Hydra's application: compose the configuration and do its task; the number of jobs that failed."""
    import hydra
    from hydra.utils import get_method
    from omegaconf import OmegaConf

    from dse.compose import CONFIG_NAME, conf_folder

    OmegaConf.register_new_resolver("run_folder", run_folder, replace=True)
    failed, here = 0, os.getpid()

    @hydra.main(version_base="1.3", config_path=str(conf_folder()), config_name=CONFIG_NAME)
    def task(config: Any) -> None:
        nonlocal failed
        try:
            own_modules_first()  # in the process of a launcher, which begins in the current folder
            get_method(config.task._target_)(config)
        except Exception as error:
            if asked_for_traceback:
                raise
            failed += 1  # the other jobs of a sweep still run
            complain(error)
            if os.getpid() != here:
                raise elsewhere(error) from None

    task()
    return failed


def elsewhere(error: Exception) -> Exception:
    """An error in a launcher's process, as the process that waits for it is told."""
    from dse.messages import message

    return ValueError(f"a job of another process failed: {message(error)}")


def complain(error: Exception) -> None:
    """One message on the standard error."""
    from dse.messages import message

    print(f"dse: {message(error, sys.argv[1:])}", file=sys.stderr)


def main() -> None:
    """Run; an error is one message and an exit code of 1, with the traceback if it is asked for."""
    own_modules_first()
    from dse import completion
    from dse import help as help_page

    if help_page.asks_for_help(sys.argv[1:]):
        print(help_page.text(sys.argv[1:]))
        return
    asked_for_traceback = os.environ.get("HYDRA_FULL_ERROR", "0") == "1"
    if completion.asks_for_completion(sys.argv[1:]):
        try:
            sys.argv[1:] = completion.completed(sys.argv[1:], os.environ)
        except ValueError as error:
            complain(error)
            raise SystemExit(1) from None
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then hands errors on instead of printing them itself
    try:
        failed = application(asked_for_traceback)
    except KeyboardInterrupt:
        print("dse: stopped", file=sys.stderr)
        raise SystemExit(130) from None
    except Exception as error:
        if asked_for_traceback:
            raise
        complain(error)
        failed = 1
    if failed:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
