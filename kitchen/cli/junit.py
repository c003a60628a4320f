"""Test results as JUnit XML, as CI systems read it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from kitchen.domain.recipe import Severity
from kitchen.errors import KitchenError

if TYPE_CHECKING:
    from kitchen.domain.run import Run, TestResult


def write_junit(file: Path, runs: Sequence[Run]) -> None:
    """Write a suite for each run; what only warns or is logged is no failure there, as it is none here."""
    root = ElementTree.Element("testsuites", name="kitchen")
    for run in runs:
        seconds = (run.ended_at - run.started_at).total_seconds() if run.ended_at is not None else 0.0
        stopping = [result for result in run.tests if not result.passed and result.severity is Severity.STOP]
        failed = sum(result.error is None for result in stopping)
        suite = ElementTree.SubElement(
            root, "testsuite", name=run.recipe, tests=str(len(run.tests)), failures=str(failed),
            errors=str(len(stopping) - failed), skipped="0", time=f"{seconds:.3f}",
            timestamp=run.started_at.isoformat(timespec="seconds"),
        )  # fmt: skip
        for result in run.tests:
            _case(suite, run, result)
    ElementTree.indent(root)
    try:
        ElementTree.ElementTree(root).write(file, encoding="utf-8", xml_declaration=True)
    except OSError as wrong:
        raise KitchenError(
            f"{file} cannot be written: {wrong.strerror}", hint="--junit FILE in another folder"
        ) from None


def _case(suite: ElementTree.Element, run: Run, result: TestResult) -> None:
    case = ElementTree.SubElement(suite, "testcase", classname=f"{run.recipe}.{result.node}", name=result.test)
    if result.passed:
        return
    said = result.error or f"measured {result.measured}, expected {result.expected}"
    if result.severity is not Severity.STOP:
        ElementTree.SubElement(case, "system-out").text = f"{result.severity}: {said}"
        return
    ElementTree.SubElement(case, "error" if result.error else "failure", message=said, type=result.kind)
