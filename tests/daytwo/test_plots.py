import xml.etree.ElementTree as ET

from daytwo.plots import learning_curves

PROBES = [
    {"wall_s": 0.0, "chapter": 1, "success": {"reach": 0.0}},
    {"wall_s": 60.0, "chapter": 1, "success": {"reach": 0.5}},
    {"wall_s": 120.0, "chapter": 2, "success": {"reach": 1.0, "push": 0.25}},
]


def test_one_element_with_a_legend_in_the_pages_own_ink() -> None:
    svg = learning_curves(PROBES, ("reach", "push", "pick"))
    root = ET.fromstring(svg)
    assert root.tag.endswith("svg")
    assert "width" not in root.attrib  # it fills the page's width
    assert "viewBox" in root.attrib
    words = [text for text in root.itertext() if text.strip()]
    assert {"reach", "push", "wall time [min]"} <= {word.strip() for word in words}
    assert "pick" not in words  # never probed: no line, no legend
    assert "currentColor" in svg
    assert "#010203" not in svg


def test_same_rows_same_picture_and_no_rows_an_empty_one() -> None:
    assert learning_curves(PROBES, ("reach",)) == learning_curves(PROBES, ("reach",))
    ET.fromstring(learning_curves([], ("reach",)))
