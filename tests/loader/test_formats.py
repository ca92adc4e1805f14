"""A value comes out of a reader of its format as it went in, or it is refused with its file and line."""

import json
from xml.etree import ElementTree

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gitops_profile.loader import Problem

from .tree import whole

NASTY = "&<>\"' é\U0001f4de  #;= {{ x }} ${y} \\ \ttab %s ]]>"
USER = "user/example.com/a.yaml"


def make(template: str, values: dict[str, str], content_type: str) -> tuple[str, list[Problem]]:
    escaped = {name: "".join(f"\\U{ord(letter):08x}" for letter in value) for name, value in values.items()}
    quoted = ", ".join(f'{name}: "{value}"' for name, value in escaped.items())
    manifest = f"{{template: t.j2, content_type: {content_type}, values: {{{quoted}}}}}"
    result = whole({"templates/t.j2": template, USER: manifest})
    return "".join(d.body.decode() for d in result.documents.values()), list(result.problems)


XML_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00\ufffe\uffff")).filter(
    lambda text: all(c in "\t\n\r" or c >= " " for c in text)
)


@given(XML_TEXT)
@example(NASTY)
@example("a\r\nb\n\nc\t")
def test_a_reader_of_xml_gets_values_back_from_elements_and_attributes(value: str) -> None:
    body, problems = make('<a b="{{ v }}">{{ v }}</a>', {"v": value}, "application/xml")
    assert not problems
    root = ElementTree.fromstring(body)
    assert (root.get("b"), root.text or "") == (value, value)


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")))
@example(NASTY)
@example('", "admin": "yes')
def test_a_reader_of_json_gets_values_back_between_quotes_and_from_tojson(value: str) -> None:
    body, problems = make('{"a": "{{ v }}", "b": {{ v | tojson }}}', {"v": value}, "application/json")
    assert not problems and json.loads(body) == {"a": value, "b": value}


@pytest.mark.parametrize("value", ["a\nb", "a\rb", "a\r\nb=1", "\n", "a\u2028b", "a\x85b", "a\x0bb", "a\x7f", "a\x00b"])
@pytest.mark.parametrize("content_type", ["text/plain", "text/csv", "application/octet-stream"])
def test_a_line_format_takes_no_line_end_however_it_is_put_in(value: str, content_type: str) -> None:
    for put in ("v", "v|upper", "v|e", "v|safe", "v ~ '!'", "[v]|join", "v|trim('!')"):
        body, problems = make("x = {{ " + put + " }}\n", {"v": value}, content_type)
        assert not body and len(problems) == 1, (put, body, problems)
        said = problems[0]
        assert said.path == USER and said.line == 1 and said.column > 1, said
        assert "values.v: a value with a line end" in str(said) and "templates/t.j2:1" in said.hint, said
        assert value not in str(said)


def test_a_line_format_takes_everything_else() -> None:
    assert make("x = {{ v }}\n", {"v": NASTY}, "text/plain") == (f"x = {NASTY}\n", [])


@pytest.mark.parametrize("put", ["v", "v|safe", "v|e", "v|upper"])
@pytest.mark.parametrize("value", ["a\x00b", "a\x1bb", "a\ufffeb", "\x0c"])
def test_xml_takes_no_control_characters_however_they_are_put_in(put: str, value: str) -> None:
    body, problems = make("<a>{{ " + put + " }}</a>", {"v": value}, "text/xml")
    assert not body and "control character" in str(problems[0]), problems


@pytest.mark.parametrize(
    ("template", "content_type", "said"),
    [
        ("<a>\n<b></a>", "text/xml", "templates/t.j2: what it makes is no XML: line 2, column 6: mismatched tag"),
        ("<a/><b/>", "application/x+xml", "no XML: line 1, column 5: junk after document element"),
        ("<a>{{ v|safe }}</a>", "text/xml", "no XML"),
        ('{"a": 1,}', "application/json", "templates/t.j2: what it makes is no JSON: line 1"),
        ('{"a": NaN}', "application/json", "NaN is no number of JSON"),
        ("[" * 60000, "application/json", "is no JSON"),
        ('{"a": {{ v }}}', "application/vnd.x+json", "no JSON"),
    ],
)
def test_a_document_that_is_not_of_its_format_is_a_problem(template: str, content_type: str, said: str) -> None:
    body, problems = make(template, {"v": "<"}, content_type)
    assert not body and said in str(problems[0]), problems


def test_html_need_not_be_xml_and_lines_need_be_nothing() -> None:
    assert make("<br>{{ v }}", {"v": "<"}, "text/html") == ("<br>&lt;", [])
    assert make('{"a": ', {}, "text/plain") == ('{"a": ', [])


def test_entities_that_would_grow_without_end_are_a_problem() -> None:
    bomb = '<!DOCTYPE a [<!ENTITY e0 "' + "x" * 1000 + '">'
    bomb += "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 9)) + "]><a>&e8;</a>"
    assert "no XML" in str(make(bomb, {}, "text/xml")[1][0])


def test_the_place_of_a_refused_value_is_that_of_the_layer_it_comes_from() -> None:
    files = {
        "templates/t.cfg.j2": "{% for a in accounts %}\nlabel = {{ a.label }}\n{% endfor %}zone = {{ time.zone }}\n",
        "defaults.yaml": 'values:\n  time:\n    zone: "A\\nB"\n  accounts: []\n',
        "bases/b.yaml": 'template: t.cfg.j2\nvalues:\n  accounts:\n    - label: "C\\nD"\n',
        "user/example.com/one.yaml": "extends: b\nvalues: {time: {zone: x}}\n",
        "user/example.com/two.yaml": "extends: b\nvalues: {accounts: []}\n",
        "user/example.com/three.yaml": "extends: b\nvalues: {accounts: []}\n",
        "user/example.com/four.yaml": "extends: b\nvalues: {accounts: [], time: {zone: x}}\n"
        'variants:\n  - when: {model: m}\n    values:\n      time: {zone: "E\\nF"}\n',
    }
    problems = whole(files).problems
    assert [(p.path, p.line, p.column, p.message.partition(":")[0]) for p in problems] == [
        ("bases/b.yaml", 4, 7, "values.accounts.0.label"),
        ("defaults.yaml", 3, 5, "values.time.zone"),  # once, for both of its manifests
        ("user/example.com/four.yaml", 6, 14, "values.time.zone"),
    ]
    assert {p.hint for p in problems} == {
        "templates/t.cfg.j2:2 puts it into the document",
        "templates/t.cfg.j2:3 puts it into the document",
    }
