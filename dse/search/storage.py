"""Where several processes keep one Optuna study: a database, or Optuna's proxy before one."""

from __future__ import annotations

import contextlib
import time
import warnings
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from dse.run.passwords import without_passwords

PATIENCE = 8  # seconds to wait for a connection
ATTEMPTS = 10  # at tables that others are making at the same moment
REMEDY = "start it, name another search.storage, or search.storage=null to search alone"


def connected(url: str) -> Any:
    """The storage at `postgresql+psycopg://user@host/database`, another database, or `grpc://host:port`.

    Raises ConnectionError within seconds where there is none.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the proxy is experimental
        return _proxy(url) if url.startswith("grpc:") else _database(url)


def _proxy(url: str) -> Any:
    from optuna.storages import GrpcStorageProxy

    parts = urlsplit(url)
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or not port:
        raise ValueError(f"search.storage: {url!r} names no host and port; write it like grpc://10.0.0.1:13000")
    try:
        storage = GrpcStorageProxy(host=host, port=port)
        storage.wait_server_ready(timeout=PATIENCE)
    except ConnectionError:
        raise ConnectionError(f"search.storage: no proxy answers at {url} within {PATIENCE} s; {REMEDY}") from None
    except ImportError:
        raise ValueError("search.storage: grpc is not installed; pip install 'inferscape[scale]'") from None
    return storage


def _database(url: str) -> Any:
    import sqlalchemy.exc as failures
    from optuna.exceptions import StorageInternalError
    from optuna.storages import RDBStorage, get_storage

    timely = {"connect_timeout": PATIENCE} if url.startswith("postgres") else {}
    for attempt in range(ATTEMPTS):
        try:
            return get_storage(RDBStorage(url, engine_kwargs={"pool_pre_ping": True, "connect_args": timely}))
        except (failures.IntegrityError, failures.ProgrammingError, StorageInternalError) as error:
            if attempt == ATTEMPTS - 1:
                raise ConnectionError(f"search.storage: {without_passwords(url)}: {reason(error)}") from None
            time.sleep(0.2 * (attempt + 1))  # another worker is making the tables
        except failures.OperationalError as error:
            raise ConnectionError(
                f"search.storage: no database answers at {without_passwords(url)} ({reason(error)}); {REMEDY}"
            ) from None
        except (failures.ArgumentError, ImportError) as error:
            raise ValueError(
                f"search.storage: {without_passwords(url)!r} is no address of a database that can be used "
                f"({reason(error)}); write it like postgresql+psycopg://user@host/database or grpc://host:port, and "
                "pip install 'inferscape[scale]'"
            ) from None
    raise AssertionError("unreachable")


@contextlib.contextmanager
def reached(url: str) -> Iterator[None]:
    """Says in words that a storage went away in the middle."""
    import sqlalchemy.exc as failures
    from optuna.exceptions import StorageInternalError

    try:
        yield
    except (failures.SQLAlchemyError, StorageInternalError, *_of_the_proxy()) as error:
        raise ConnectionError(
            f"search.storage: {without_passwords(url)} is gone ({reason(error)}); what was evaluated is kept"
        ) from None


def _of_the_proxy() -> tuple[type[Exception], ...]:
    try:
        import grpc
    except ImportError:
        return ()
    return (grpc.RpcError,)


def reason(error: BaseException) -> str:
    """The first line of what went wrong underneath, without passwords."""
    cause = getattr(error, "orig", None) or error.__cause__ or error
    text = getattr(cause, "details", lambda: str(cause))() or type(cause).__name__
    return without_passwords(str(text).strip().splitlines()[0] if str(text).strip() else type(cause).__name__)
