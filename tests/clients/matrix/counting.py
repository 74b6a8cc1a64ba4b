"""Tells at the end of a run how many cases of the matrix there were; pytest knows only its own few items."""


def pytest_terminal_summary(terminalreporter):
    counts = {
        report.nodeid.rpartition("::")[2]: dict(report.user_properties)["matrix_cases"]
        for reports in terminalreporter.stats.values()
        for report in reports
        if "matrix_cases" in dict(getattr(report, "user_properties", ()))
    }
    if counts:
        terminalreporter.section("cases of the matrix")
        for name, count in sorted(counts.items()):
            terminalreporter.line(f"{count:>7} {name}")
        terminalreporter.line(f"{sum(counts.values()):>7} in all")
