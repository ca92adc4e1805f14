"""Templates: what they may need, and what they write."""

import pytest

from gitops_profile.loader import Loader

from .tree import change, whole

DOUBLING = "{% set ns = namespace(x='aaaaaaaaaa') %}{% for i in range(24) %}STEP{% endfor %}{{ ns.x|length }}"

SLICES = (
    "{% set ns = namespace(x=[]) %}{% set t = range(99999)|join %}"
    "{% for i in range(3000) %}{% set ns.x = ns.x + [t[1:]] %}{% endfor %}{{ ns.x|length }}"
)


def render(template: str, name: str = "t.cfg.j2") -> tuple[str, str]:
    """The document, and the problems, of one manifest with the values title and many."""
    manifest = f"template: {name}\nvalues: {{title: x, many: [1, 2, 3], none: null, yes: true}}\n"
    result = whole({f"templates/{name}": template, "user/example.com/a.yaml": manifest})
    return "".join(d.body.decode() for d in result.documents.values()), "\n".join(map(str, result.problems))


@pytest.mark.parametrize(
    "template",
    [
        "{{ '%200000000d' % 1 }}",
        "{{ '%*d' % (200000000, 1) }}",
        "{{ '%(a)200000000d' % {'a': 1} }}",
        DOUBLING.replace("STEP", "{% set ns.x = ns.x ~ ns.x %}"),
        DOUBLING.replace("STEP", "{% set ns.x = ns.x + ns.x %}"),
        DOUBLING.replace("STEP", "{% set ns.x %}{{ ns.x }}{{ ns.x }}{% endset %}"),
        DOUBLING.replace("STEP", "{% set ns.x = [ns.x, ns.x] %}") + "{{ ns.x }}",
        SLICES,
        "{{ [1]|batch(20000000, 0)|list|length }}",
        "{{ [1]|tojson(indent=100000000)|length }}",
        "{{ 'a,'|replace('a', range(99999)|join)|replace('1', range(9999)|join)|length }}",
        "{{ (1).to_bytes(100000000, 'big')|length }}",
        "{{ 1|round(20000000, 'floor') }}",
        "{{ (range(99999)|join).join(range(999)|map('string')) }}",
        "{{ '{:200000000}'.format(1)|length }}",
        "{% set x %}{% for i in range(3000) %}{% for j in range(3000) %}y{% endfor %}{% endfor %}{% endset %}",
        "{% set x %}{% for i in range(9999) %}" + "y" * 9999 + "{% endfor %}{% endset %}",
    ],
)
def test_no_template_needs_memory_without_end(template: str) -> None:
    body, problems = render(template)
    assert not body and "templates/t.cfg.j2:1" in problems, (body[:80], problems)


def test_the_allowance_is_for_each_document() -> None:
    big = "{% set t %}{% for i in range(99999) %}abcdefgh{% endfor %}{% endset %}{{ t|length }}"
    files = {f"user/example.com/u{n}.yaml": "template: t.cfg.j2\n" for n in range(12)}
    result = whole({"templates/t.cfg.j2": big, **files})
    assert not result.problems and {d.body for d in result.documents.values()} == {b"799992"}


@pytest.mark.parametrize("template", ["{{ title.upper }}", "{{ range }}", "{{ many|map('string') }}", "{{ lipsum() }}",
                                      "{{ many|random }}", "{{ 'a' ~ title.upper }}"])  # fmt: skip
def test_what_would_differ_on_another_run_is_a_problem(template: str) -> None:
    body, problems = render(template)
    assert not body and problems


@pytest.mark.parametrize("name", ["t.cfg.j2", "t.xml.j2", "t.htm.j2", "t.json.j2"])
@pytest.mark.parametrize(
    ("template", "hint"),
    [
        ("{% extends 'base.j2' %}{% block b %}{{ super }}{% endblock %}", "with ()"),
        ("{% block t %}a{% endblock %}{{ self.t }}", "with ()"),
        ("{% macro m() %}a{% endmacro %}{{ m }}", "with ()"),
        ("{{ joiner(', ') }}", "with ()"),
        ("{{ [joiner(', ')] }}", "with ()"),
        ("{{ {'a': (1, joiner(', '))} }}", "with ()"),
        ("{{ {joiner(', '): 1} }}", "with ()"),
        ("{{ 'a' ~ joiner(', ') }}", "with ()"),
        ("{{ [1, 2]|join(joiner(', ')) }}", "with ()"),
        ("{{ [{'a': joiner(', ')}]|join(',', attribute='a') }}", "with ()"),
        ("{{ '%s' % joiner(', ') }}", "with ()"),
        ("{{ joiner(', ')|upper }}", "with ()"),
        ("{{ joiner(', ')|string }}", "with ()"),
        ("{{ joiner(', ')|e }}", "with ()"),
        ("{{ joiner(', ')|urlencode }}", "with ()"),
        ("{{ [('a', joiner(', '))]|urlencode }}", "with ()"),
        ("{{ 'abc'|replace('a', joiner(', ')) }}", "with ()"),
        ("{{ {'a': joiner(', ')}|xmlattr }}", "with ()"),
        ("{{ cycler('a', 'b') }}", ".next()"),
        ("{{ many|reverse }}", "use join or list"),
        ("{{ {'a': 1}.items() }}", "use join or list"),
        ("{{ many|map('string')|upper }}", "use join or list"),
        ("{{ namespace(a=1) }}", "a Namespace is no value"),
        ("{{ self }}", "a TemplateReference is no value"),
        ("{% for n in many %}{{ loop }}{% endfor %}", "a LoopContext is no value"),
        ("{{ [missing] }}", "'missing' is undefined"),
    ],
)
def test_what_is_no_data_is_not_written(template: str, hint: str, name: str) -> None:
    files = {"templates/base.j2": "{% block b %}a{% endblock %}", f"templates/{name}": template}
    manifest = f"template: {name}\nvalues: {{many: [1, 2]}}\n"
    result = whole({**files, "user/example.com/a.yaml": manifest})
    assert not result.documents and [hint in str(problem) for problem in result.problems] == [True], result.problems


@pytest.mark.parametrize(
    ("template", "body"),
    [
        ("{% set s = joiner(', ') %}{% for n in many %}{{ s() }}{{ n }}{% endfor %}", "1, 2, 3"),
        ("{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.current }}", "aba"),
        ("{% set ns = namespace(a=1) %}{% set ns.a = 2 %}{{ ns.a }}{{ ns|attr('a') }}", "22"),
        ("{% block t %}a{% endblock %}{{ self.t() }}{% macro m() %}b{% endmacro %}{{ m() }}", "aab"),
        ("{{ many|reverse|join }}{{ many|reverse|list }}{{ {'a': 1}.items()|list }}", "321[3, 2, 1][('a', 1)]"),
        (
            "{{ {'a': none, 'b': [true, 1.5]} }}{{ [[1, 2]]|groupby(0)|first }}",
            "{'a': None, 'b': [True, 1.5]}(1, [[1, 2]])",
        ),
        ("{{ {'a b': 1}|urlencode }}{{ {'a': '/'}.items()|urlencode }}{{ 'a b'|urlencode }}", "a+b=1a=%2Fa%20b"),
        ("{{ [{'a': none}, {'a': yes}]|join('-', attribute='a') }}{{ [1, 2]|join(none) }}", "None-True1None2"),
        ("{{ missing|default(many|map('string'))|join }}{{ many|sum }}", "1236"),
        ("{{ 'line%02d' % 7 }}|{{ '%s-%s' % (title, 2) }}", "line07|x-2"),
        ("{{ 7 % 4 }} {{ 2 ** 5 }} {{ 3 * 4 }} {{ 1 + 1.5 }}", "3 32 12 2.5"),
        ("{{ title ~ none ~ yes ~ 1 }}", "xtrue1"),
        ("{{ [title, none, yes]|join(',') }}", "x,,true"),
        ("{{ yes|string }}", "true"),
        (
            "{% for n in many %}{{ loop.index }}/{{ loop.length }}{{ '' if loop.last else ' ' }}{% endfor %}",
            "1/3 2/3 3/3",
        ),
        ("{% for k, v in {'a': 1}.items() %}{{ k }}{{ v }}{% endfor %}", "a1"),
        ("{% for n in many if n > 1 %}{{ n }}{% else %}none{% endfor %}", "23"),
        ("{% for n in [] %}{% else %}none{% endfor %}", "none"),
        ("{{ many[1:]|join('') }}{{ title.upper() }}{{ 'a:b'|replace(':', '') }}", "23Xab"),
        ("{{ many|sort(reverse=true)|map('string')|join('-') }}", "3-2-1"),
        ("{{ nothing|default('d') }}{{ many|tojson }}", "d[1, 2, 3]"),
    ],
)
def test_what_templates_are_for_still_works(template: str, body: str) -> None:
    assert render(template) == (body, "")


def test_a_macro_may_make_several_lines_and_its_values_may_not() -> None:
    macro = "{% macro m(a) %}\na={{ a }}\nb=1\n{% endmacro %}{{ m(VALUE) }}"
    assert render(macro.replace("VALUE", "1")) == ("a=1\nb=1\n", "")
    assert "line end" in render(macro.replace("VALUE", "'1\\nc=2'"))[1]


def test_joining_in_markup_escapes_values_and_keeps_markup() -> None:
    template = "<a>{{ '<' ~ title }}{% set b %}<b/>{% endset %}{{ b ~ '&' }}</a>"
    assert render(template, "t.xml.j2") == ("<a>&lt;x<b/>&amp;</a>", "")
    assert render("{{ '<' ~ title }}", "t.htm.j2") == ("&lt;x", "")
    assert render("{{ '<' ~ title }}") == ("<x", "")


@pytest.mark.parametrize("text", ["max_removals: true", "max_removals: 250%", "max_removals: ٣%",
                                  'content_types: {.xml: "text/xml; a=b\\u0001"}',
                                  "content_types: {.xml: text/é}"])  # fmt: skip
def test_settings_that_would_do_harm_are_refused(text: str) -> None:
    assert [p.path for p in whole({"profiles.yaml": text}).problems] == ["profiles.yaml"]


@pytest.mark.parametrize(
    "template",
    [
        "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
        "{{ 1" + "+1" * 5000 + " }}",
        "{% for a in many %}" * 30 + "{% endfor %}" * 30,
        "{% if 1 %}" * 200 + "{% endif %}" * 200,
        "{% if 1 %}" + "{% elif 1 %}" * 4000 + "{% endif %}",
        "{{ " + "9" * 5000 + " }}",
    ],
)
def test_what_cannot_be_compiled_is_a_problem_of_its_template(template: str) -> None:
    body, problems = render(template)
    assert not body and problems.splitlines()[0].startswith("templates/t.cfg.j2: template: cannot be compiled")
    loader, files = Loader(), {"user/example.com/a.yaml": "body: x\n", "templates/t.cfg.j2": "x"}
    whole(files, loader)
    assert [p.path for p in change(loader, files, {**files, "templates/t.cfg.j2": template}).problems] == [
        "templates/t.cfg.j2"
    ]
