"""Where runs are logged: what is wrong with an address, in words, and within seconds."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dse.run.passwords import without_passwords

PATIENCE = 5  # seconds for a server's first sign of life
SQLITE = "sqlite:///"
DATABASES = ("postgresql", "mysql", "mssql")
OTHERS = ("databricks", "databricks-uc", "uc")
OURS = (LookupError, TypeError, AttributeError, NameError, AssertionError)  # mistakes of the program, not of a server
MOST = 300  # letters of a reason
SIGNS = {
    "Connection refused": "connection refused",
    "timed out": "no answer in time",
    "timeout": "no answer in time",
    "RemoteDisconnected": "it hung up",
    "Connection reset": "it hung up",
    "Connection aborted": "it hung up",
}
WRITTEN = "write sqlite:///mlflow.db, http://host:5000 or postgresql+psycopg://user@host/database"


def refuse(tracking: Mapping[str, Any]) -> None:
    """Raises ValueError where the address can be none, before anything is computed."""
    if tracking["enabled"]:
        checked(tracking["uri"])


def checked(uri: str) -> str:
    """The address itself; raises ValueError where none can be of this kind. Asks nobody."""
    uri, scheme = str(uri or "").strip(), str(uri or "").split(":")[0].split("+")[0]
    shown = without_passwords(uri)
    if scheme in OTHERS and "://" not in uri.replace(f"{scheme}://", "", 1):
        return uri
    if "://" not in uri or scheme == "file":
        why = "MLflow keeps no runs in plain folders any more" if uri else "it is empty"
        raise ValueError(f"tracking.uri: {shown!r} is no address of a tracking server or a database ({why}); {WRITTEN}")
    if scheme == "sqlite" and not (uri.startswith(SQLITE) and uri.removeprefix(SQLITE).split("?")[0]):
        raise ValueError(
            f"tracking.uri: {shown!r} names no file; write sqlite:///mlflow.db, or sqlite:////folder/mlflow.db"
        )
    if scheme not in ("sqlite", "http", "https", *DATABASES):
        raise ValueError(f"tracking.uri: {shown!r}: MLflow knows no {scheme}://; {WRITTEN}")
    if scheme != "sqlite" and not (_host(uri) or "host=" in uri):
        raise ValueError(f"tracking.uri: {shown!r} names no host, or a port that is no number; {WRITTEN}")
    return uri


def _host(uri: str) -> str:
    try:
        parts = urlsplit(uri)
        _ = parts.port
        return parts.hostname or ""
    except ValueError:
        return ""


def reachable(uri: str) -> None:
    """Raises ConnectionError in words, within seconds, where nobody answers: a client left to itself waits minutes."""
    if uri.startswith(SQLITE):
        _file(database(uri))
    elif uri.startswith("http"):
        _server(uri)
    elif uri.startswith(DATABASES):
        _database(uri)


def database(uri: str) -> Path:
    """The file of a SQLite address."""
    return Path(uri.removeprefix(SQLITE).split("?")[0])


def _file(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_file() and path.stat().st_size:
            with path.open("rb") as file:
                if not file.read(16).startswith(b"SQLite format 3"):
                    raise ConnectionError(f"{path} is no SQLite database")
        elif path.exists() and not path.is_file():
            raise ConnectionError(f"{path} is a folder; name a file in it, such as {SQLITE}{path}/mlflow.db")
    except OSError as error:
        if isinstance(error, ConnectionError):
            raise
        raise ConnectionError(f"{path} cannot be written: {error.strerror}") from None


def _server(uri: str) -> None:
    parts, start = urlsplit(uri), time.perf_counter()
    place = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="")
    try:
        with urllib.request.urlopen(f"{place.geturl().rstrip('/')}/health", timeout=PATIENCE) as answer:
            answer.read(16)
    except urllib.error.HTTPError:
        return  # somebody answers; whether it is MLflow, and lets us in, the client finds out
    except (OSError, ValueError) as error:
        why = getattr(error, "reason", error)
        if isinstance(why, TimeoutError) or "timed out" in str(why):
            waited = time.perf_counter() - start
            raise ConnectionError(f"it takes connections but does not answer within {waited:.0f} s") from None
        raise ConnectionError(f"no server answers there: {getattr(why, 'strerror', None) or why}") from None
    except Exception as error:  # what answers speaks another language than HTTP
        raise ConnectionError(f"what answers there is no tracking server: {type(error).__name__}") from None


def _database(uri: str) -> None:
    import sqlalchemy

    timely = {"connect_timeout": PATIENCE} if not uri.startswith("mssql") else {"timeout": PATIENCE}
    try:
        engine = sqlalchemy.create_engine(uri, connect_args=timely)
        try:
            engine.connect().close()
        finally:
            engine.dispose()
    except ImportError as error:
        remedy = (
            "write postgresql+psycopg:// and pip install 'inferscape[scale]'"
            if "psycopg" in str(error)
            else "install it"
        )
        raise ConnectionError(f"the database's driver is missing ({error}); {remedy}") from None
    except Exception as error:
        raise ConnectionError(f"no database answers there: {reason(error)}") from None


def reason(error: BaseException) -> str:
    """What went wrong in a line, without passwords; of clients' long stories the part that matters."""
    cause = getattr(error, "orig", None) or error
    text = without_passwords(" ".join(str(cause).split())) or type(cause).__name__
    told = next((words for sign, words in SIGNS.items() if sign in text), text[:MOST])
    return f"{type(error).__name__}: {told}" if isinstance(error, OURS) else told
