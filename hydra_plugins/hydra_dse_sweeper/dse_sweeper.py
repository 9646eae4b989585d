"""Hydra's door to the search. Hydra loads this file at every start, so all that takes time is imported when needed.

Hydra also runs it before it is a known module, which dataclasses with annotations that are texts cannot do with.
"""

from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict


@dataclass
class DseSweeperConf:
    """What `hydra.sweeper` may say: `params`, the space as key -> override, which the command line wins over."""

    _target_: str = "hydra_plugins.hydra_dse_sweeper.dse_sweeper.DseSweeper"
    params: dict[str, str] = field(default_factory=dict)


ConfigStore.instance().store(group="hydra/sweeper", name="dse", node=DseSweeperConf, provider="dse")


class DseSweeper(Sweeper):
    """One job, which searches: what is swept is its space, all other overrides are its own.

    The study lies in `hydra.sweep.dir` itself, or in the folder that `resume` names.
    """

    def __init__(self, params: dict[str, str]) -> None:
        self.params = params
        self.config: DictConfig | None = None
        self.launcher: Launcher | None = None
        self.hydra_context: HydraContext | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.config, self.hydra_context = config, hydra_context
        if config.resume:
            with open_dict(config):
                config.hydra.sweep.dir = str(config.resume)
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> Any:
        from dse.search.sweep import overrides_of_job, placed_in

        assert self.config is not None
        assert self.launcher is not None
        assert self.hydra_context is not None
        words = overrides_of_job(arguments, self.params, self.hydra_context.config_loader)
        jobs = self.launcher.launch([[*words, *placed_in(self.config.hydra.sweep.dir)]], initial_job_idx=0)
        for job in jobs:
            _ = job.return_value  # raises what the job raised
        return jobs
