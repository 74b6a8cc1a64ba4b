"""Cases, their names, and how they are run: on several connections, all of them, with every failure told by name."""

import fnmatch
import os
import re
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest

from matrix.wire import Wire

CONNECTIONS = 3
KINDS_SHOWN, OTHERS_SHOWN = 30, 12


@dataclass
class Group:
    """Cases that share what `prepare` made for them. A case gets the connection and what `prepare` returned."""

    name: str
    prepare: Callable[[Wire], Any] = lambda wire: None
    cases: dict[str, Callable[[Wire, Any], None]] = field(default_factory=dict)

    def add(self, name, run):
        """Adds a case; a name that was given twice would hide one of the two."""
        assert name not in self.cases, f"two cases are called {self.name}/{name}"
        self.cases[name] = run

    def chosen(self, pattern):
        """The cases whose full name matches."""
        return {name: run for name, run in self.cases.items() if fnmatch.fnmatch(f"{self.name}/{name}", pattern)}


def run(groups, server, credentials, at_least, slow=False):
    """Runs the cases; fails with the names of those that failed, and when there are fewer than there should be."""
    pattern = os.environ.get("MATRIX_CASE")
    names = [group.name for group in groups]
    assert len(set(names)) == len(names), "two groups have one name"
    chosen = [(group, group.chosen(pattern or "*")) for group in groups]
    chosen = [(group, cases) for group, cases in chosen if cases]
    if pattern and not chosen:
        pytest.skip(f"no case here matches MATRIX_CASE={pattern}")
    local, opened = threading.local(), []

    def one(group, cases):
        if not hasattr(local, "wire"):
            local.wire = Wire(server, credentials)
            opened.append(local.wire)
        return run_group(group, cases, local.wire)

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        outcomes = list(pool.map(lambda pair: one(*pair), chosen))
    for wire in opened:
        wire.close()
    count = sum(len(cases) for _, cases in chosen)
    failed = [failure for failures in outcomes for failure in failures]
    if failed:
        pytest.fail(report(failed, count, "./check --slow" if slow else "./check"), pytrace=False)
    assert pattern or count >= at_least, f"only {count} cases were generated, of at least {at_least}"


def run_group(group, cases, wire):
    """Runs one group on one connection and returns (name, what went wrong) of each case that failed."""
    try:
        made = group.prepare(wire)
    except Exception:
        wire.close()
        return [(f"{group.name}/{next(iter(cases))}", f"could not prepare {len(cases)} cases:\n{last_lines()}")]
    failed = []
    for name, run_case in cases.items():
        try:
            run_case(wire, made)
        except Exception:
            wire.close()
            failed.append((f"{group.name}/{name}", last_lines()))
    return failed


def last_lines():
    """The assertion and where it stands, without the frames of this module."""
    return "\n".join(line for line in traceback.format_exc().strip().splitlines()[-4:] if line.strip(" ^~"))


def report(failed, count, check):
    """The failures by what went wrong, each kind with the command that runs its first case alone."""
    kinds = {}
    for name, what in failed:
        kinds.setdefault(re.sub(r"\"[^\"]*\"|'[^']*'|[0-9A-Fa-f]{8,}|\d{4,}", "…", what), []).append((name, what))
    told = [f"{len(failed)} of {count} cases failed, in {len(kinds)} ways:"]
    for alike in sorted(kinds.values(), key=len, reverse=True)[:KINDS_SHOWN]:
        (name, what), *others = alike
        told.append(f"\n{name}\n  MATRIX_CASE='{name}' {check} --only clients -- -k matrix\n{what}")
        if others:
            shown = " ".join(name for name, _ in others[:OTHERS_SHOWN])
            told.append(f"  and {len(others)} more: {shown}{' …' if len(others) > OTHERS_SHOWN else ''}")
    return "\n".join(told)
