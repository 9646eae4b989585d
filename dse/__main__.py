"""The command line: `dse`, or `python -m dse`."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from pathlib import Path
from typing import Any

# Exit codes: done; refused, or a job of a sweep was; Ctrl-C; nobody reads on. A flag that there is not is argparse's 2.
DONE, REFUSED, STOPPED, UNREAD = 0, 1, 130, 141
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
    from omegaconf import OmegaConf

    from dse.configuration.compose import CONFIG_NAME, conf_folder

    OmegaConf.register_new_resolver("run_folder", run_folder, replace=True)
    failed, unread, here = 0, False, os.getpid()

    @hydra.main(version_base="1.3", config_path=str(conf_folder()), config_name=CONFIG_NAME)
    def task(config: Any) -> None:
        nonlocal failed, unread
        try:
            own_modules_first()  # in the process of a launcher, which begins in the current folder
            done(config)
        except BrokenPipeError:
            unread = True  # said after Hydra, which would print a line of its own
        except Exception as error:
            leave_no_empty_folder()
            if asked_for_traceback:
                raise
            failed += 1  # the other jobs of a sweep still run
            complain(error, job())
            if os.getpid() != here:
                raise elsewhere(error) from None

    task()
    if unread:
        raise BrokenPipeError
    return failed


def done(config: Any) -> None:
    """Do the task of a composed configuration, speaking as it asks for."""
    from hydra.utils import get_method

    from dse.run.console import speak
    from dse.run.flags import Manner
    from dse.run.logs import warnings_logged

    speak(Manner.read(config))
    with warnings_logged():
        get_method(config.task._target_)(config)


def leave_no_empty_folder() -> None:
    """Remove the folder that Hydra made for a run that wrote nothing."""
    from hydra.core.hydra_config import HydraConfig

    with contextlib.suppress(OSError, ValueError):
        Path(HydraConfig.get().runtime.output_dir).rmdir()


def elsewhere(error: Exception) -> Exception:
    """An error in a launcher's process, as the process that waits for it is told."""
    from dse.configuration.messages import message

    return ValueError(f"a job of another process failed: {message(error)}")


def job() -> str:
    """Which job of a sweep this is, in words; empty outside of one."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    told = HydraConfig.get()
    several = told.mode == RunMode.MULTIRUN and told.sweeper._target_.endswith("BasicSweeper")
    return f"job {int(told.job.num) + 1}: " if several else ""


def complain(error: Exception, before: str = "") -> None:
    """One message on the standard error; a bug's traceback in the log of the run."""
    from dse.configuration.messages import is_bug, message
    from dse.run import outcome

    words = before + message(error, sys.argv[1:])
    print(f"dse: {words}", file=sys.stderr)
    outcome.failed(error, words)
    if is_bug(error):
        logging.getLogger("dse").error("%s", words, exc_info=error)


def version() -> str:
    """What `dse --version` prints."""
    from importlib import metadata

    return f"inferscape {metadata.version('inferscape')}"


def command(words: list[str]) -> int:
    """Do what a command line says; its exit code, with one message of what is wrong, or the traceback if asked for."""
    from dse.configuration import completion
    from dse.configuration import help as help_page
    from dse.run import flags, resumed

    if help_page.asks_for_help(words):
        print(help_page.text(words))
        return DONE
    if "--version" in words:
        print(version())
        return DONE
    asked_for_traceback = os.environ.get("HYDRA_FULL_ERROR", "0") == "1"
    if completion.asks_for_completion(words):
        try:
            words = completion.completed(words, os.environ)
        except ValueError as error:
            complain(error)
            return REFUSED
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then hands errors on instead of printing them itself
    from dse.run.console import speak

    speak(flags.Manner.of(words))
    sys.argv[1:] = resumed.gone_on_with(flags.translated(words))
    try:
        return REFUSED if application(asked_for_traceback) else DONE
    except BrokenPipeError:
        raise
    except Exception as error:
        if asked_for_traceback:
            raise
        complain(error)
        return REFUSED


def main() -> None:
    """Run, and end with the exit code."""
    own_modules_first()
    try:
        code = command(sys.argv[1:])
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("dse: stopped", file=sys.stderr)
        code = STOPPED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # nobody reads on; Python would complain once more at its end
        code = UNREAD
    if code:
        raise SystemExit(code)


def run() -> None:
    """The same as a program of its own: stopped, it leaves at once, as what compiles in another thread cannot be
    stopped, and would crash while Python takes itself apart."""
    try:
        main()
    except SystemExit as end:
        if end.code == STOPPED:
            logging.shutdown()
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(STOPPED)
        raise


if __name__ == "__main__":
    run()
