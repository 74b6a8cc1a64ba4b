"""A plugin of pytest: campaigns run only when they are asked for."""

import pytest


def pytest_addoption(parser):
    parser.addoption("--slow", action="store_true", help="run the long campaigns")


def pytest_collection_modifyitems(config, items):
    if config.getoption("--slow"):
        return
    skip = pytest.mark.skip(reason="a campaign: runs with --slow")
    for item in items:
        if "campaign" in item.keywords:
            item.add_marker(skip)
