import pytest

from deep_chat_proxy.tools import Registry, ToolDefinition, ToolError, tool


@tool
def zebra(stripes: int) -> int:
    """Count."""
    return stripes


@tool
def ant() -> str:
    """Crawl."""
    return "crawls"


def test_tools_are_kept_in_the_order_they_were_added():
    registry = Registry([zebra, ant])

    assert list(registry) == [zebra, ant]
    assert len(registry) == 2
    assert registry.get("ant") is ant
    assert registry.get("bee") is None


def test_definitions_say_what_a_model_is_told_in_no_dialect():
    assert Registry([zebra, ant]).definitions() == (
        ToolDefinition("zebra", "Count.", zebra.parameters),
        ToolDefinition("ant", "Crawl.", ant.parameters),
    )


def test_a_name_that_is_taken_is_refused():
    other = tool(name="ant", description="Another.")(zebra.__wrapped__)

    with pytest.raises(ToolError, match="two tools of the name ant"):
        Registry([ant, other])


def test_a_plain_function_is_refused():
    with pytest.raises(ToolError, match="Write @tool above"):
        Registry([len])  # type: ignore[list-item]
