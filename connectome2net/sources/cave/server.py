"""A CAVE server at one version of one datastack.

Enters: an address and a token. Leaves: names of tables and versions, numbers of rows, rows. Counting and downloading
go without CAVEclient's join of reference tables: the server does not count joins (MaterializationEngine 5.26.4,
``generate_complex_query_dataframe``).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

import pandas as pd
from caveclient.auth import AuthClient
from caveclient.base import ServerIncompatibilityError
from caveclient.infoservice import InfoServiceClient
from caveclient.materializationengine import MaterializationClient

from connectome2net.errors import SourceError
from connectome2net.sources.cave.address import VERSION, Address
from connectome2net.sources.cave.query import Query
from connectome2net.sources.cave.retry import patiently
from connectome2net.sources.cave.session import AnswerError, Patience, Patient
from connectome2net.sources.cave.token import Token

INFO_API, MATERIALIZATION_API = 2, 3
"""Named, because CAVEclient would ask for the newest without a time limit."""
FIRST_TRIES = 3
"""A server that does not answer at all is given up sooner than one that stops in the middle."""
NM = [1, 1, 1]
NEVER = 2100
"""Versions that are kept for ever have a date a hundred years away, or none."""

Answered = TypeVar("Answered")


class Info(Patient, InfoServiceClient):  # type: ignore[misc]
    """The service that knows datastacks."""


class Materialization(Patient, MaterializationClient):  # type: ignore[misc]
    """The service that hands out tables."""


@dataclass(frozen=True)
class Server:
    """A server that has answered and accepts the token.

    Attributes:
        address: what is asked.
        client: CAVEclient's materialization client.
        patience: how long it is waited for.
    """

    address: Address
    client: Materialization
    patience: Patience

    def ask(self, question: Callable[[], Answered]) -> Answered:
        """Ask until an answer comes; a refusal is told at once."""
        return _answer(question, self.patience, where=f"{self.address} on {self.client.server_address}")

    def versions(self, *, expired: bool = False) -> list[int]:
        """Return the versions that can be had, or all that there ever were."""
        return sorted(int(version) for version in self.ask(lambda: self.client.get_versions(expired=expired)))

    def expires(self) -> datetime | None:
        """Return when the version expires."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # CAVEclient makes a date out of none, and that date loses nanoseconds
            expires: datetime = self.ask(self.client.get_version_metadata)["expires_on"]
        return expires if expires.tzinfo is not None and expires.year < NEVER else None

    def tables(self) -> list[str]:
        """Return the tables that there are at this version."""
        return sorted(map(str, self.ask(self.client.get_tables)))

    def count(self, query: Query) -> int:
        """Return the number of rows that a query has."""

        def question() -> int:
            answer = self.client.query_table(query.table, **query.filters(), **AS_IT_IS, get_counts=True)
            return int(answer["count"].iloc[0]) if list(answer.columns) == ["count"] else -1

        if (count := self.ask(question)) < 0:
            raise SourceError(
                "the server does not count rows, so that nothing it sends can be proven complete",
                where=f"{self.address}/{query.table}",
                fix="take another server, or the published dumps",
            )
        return count

    def rows(self, query: Query) -> tuple[pd.DataFrame, int | None]:
        """Return the rows that the server sends, and the number at which it says that it cut them."""
        columns = list(query.columns) if query.columns else None

        def question() -> tuple[pd.DataFrame, int | None]:
            self.client.session.limited_to = None
            frame = self.client.query_table(
                query.table, **query.filters(), **AS_IT_IS, select_columns=columns, desired_resolution=NM
            )
            return frame, self.client.session.limited_to

        return self.ask(question)


AS_IT_IS = {"merge_reference": False, "metadata": False, "log_warning": False, "split_positions": True}


def connect(address: Address, token: Token, *, patience: Patience) -> Server:
    """Reach the server and find the datastack.

    Raises:
        SourceError: the server is not reached, refuses the token, or does not know the datastack.
    """
    hasty = replace(patience, tries=min(patience.tries, FIRST_TRIES))
    auth = AuthClient(token=token.text, server_address=address.server)

    def information(datastack: str | None) -> Info:
        return Info(
            patience,
            server_address=address.server,
            datastack_name=datastack,
            auth_client=auth,
            api_version=INFO_API,
        )

    try:
        info = patiently(lambda: information(address.datastack), where=address.server, patience=hasty)
    except AnswerError as error:
        if error.status != 404:
            raise _refused(error, where=address.server) from error
        known = _answer(lambda: information(None).get_datastacks(), hasty, where=address.server)
        raise SourceError(
            "CAVE does not know this datastack",
            where=address.server,
            found=address.datastack,
            wanted=", ".join(sorted(known)),
            fix="--source cave:DATASTACK@VERSION",
        ) from error
    client = _answer(
        lambda: Materialization(
            patience,
            server_address=info.local_server(),
            datastack_name=address.datastack,
            auth_client=auth,
            api_version=MATERIALIZATION_API,
            version=address.version,
        ),
        hasty,
        where=info.local_server(),
    )
    return Server(address, client, patience)


def check_version(server: Server) -> None:
    """Refuse a version that there is not, or no longer.

    Raises:
        SourceError: with the versions that there are.
    """
    address, there = server.address, server.versions()
    if address.version in there:
        return
    expired = address.version in server.versions(expired=True)
    usual = f"{VERSION}, the default, never expires; " if VERSION in there else ""
    raise SourceError(
        "this version has expired" if expired else "there is no such version",
        where=f"{address.datastack} on {server.client.server_address}",
        found=address.version,
        wanted=", ".join(map(str, there)) or "any: the server has none",
        fix=f"{usual}--source cave:{address.datastack}@VERSION",
    )


def _answer(question: Callable[[], Answered], patience: Patience, *, where: str) -> Answered:
    try:
        return patiently(question, where=where, patience=patience)
    except AnswerError as error:
        raise _refused(error, where=where) from error
    except ServerIncompatibilityError as error:
        raise SourceError(
            "CAVEclient and the server do not fit together",
            where=where,
            found=" ".join(str(error).split()),
            fix="take another server, or other versions: pip install -c constraints.txt caveclient",
        ) from error


def _refused(error: AnswerError, *, where: str) -> SourceError:
    return SourceError(
        "CAVE does not answer this", where=where, found=error, fix="`c2n doctor` says what of CAVE works"
    )
