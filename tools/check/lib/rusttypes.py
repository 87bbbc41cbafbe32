# SPDX-License-Identifier: GPL-2.0
"""Types as rustc and the sources write them, and which of them own a value of certain types.

By the definitions in the sources: a struct owns what its fields own, and so on. What is behind a
reference, a raw pointer or a counted reference is not owned. A type of another crate owns what its
arguments do, unless it has a lifetime: then it borrows.
"""

import functools
import re
from typing import NamedTuple

from lib.rustlex import code, group_end, head_end

TOKEN = re.compile(r"\{(?:[^{}]|\{[^{}]*\})*\}|->|::|'\w+|\w+(?:#\w+)?|\S")
# Counted references, pointers, and what is freed by hand.
NO_OWNERS = {"Arc", "ARef", "AtomicPtr", "ManuallyDrop", "MaybeUninit", "NonNull", "PhantomData"}
# Its types stand for a value that is not there yet.
UNFINISHED = "pin_init"
BUILTIN = {
    "Option": (("None", ()), ("Some", ("T",))),
    "Result": (("Ok", ("T",)), ("Err", ("E",))),
    "ControlFlow": (("Continue", ("E",)), ("Break", ("T",))),
}
PARAMETER = re.compile(r"[A-Z]\d?")


class Type(NamedTuple):
    """A type: `kind` is path, tuple, array, closure, parameter or none (which owns nothing)."""

    kind: str
    path: tuple = ()
    args: tuple = ()
    borrows: bool = False

    def __str__(self):
        inner = ", ".join(map(str, self.args))
        if self.kind == "tuple":
            return f"({inner})"
        if self.kind == "array":
            return f"[{inner}]"
        if self.kind == "path":
            return self.path[-1] + (f"<{inner}>" if self.args else "")
        return "closure" if self.kind == "closure" else self.path[-1] if self.path else "_"


NONE = Type("none")


class _Parser:
    def __init__(self, text):
        self.tokens, self.at = TOKEN.findall(text), 0

    def peek(self, ahead=0):
        return self.tokens[self.at + ahead] if self.at + ahead < len(self.tokens) else ""

    def next(self):
        self.at += 1
        return self.tokens[self.at - 1] if self.at <= len(self.tokens) else ""

    def skip_to(self, stops):
        depth = 0
        while (word := self.peek()) and not (depth == 0 and word in stops):
            depth += (word in "([<") - (word in ")]>")
            self.next()

    def list(self, end):
        """The types up to the closing bracket, and whether there is a lifetime among them."""
        found, borrows = [], False
        while self.peek() not in (end, ""):
            if self.peek() == ",":
                self.next()
            elif self.peek().startswith("'"):
                borrows = True
                self.skip_to((",", end))
            elif self.peek(1) == "=":
                self.at += 2
            else:
                found.append(self.type())
                if self.peek() not in (",", end):
                    # `[T; N]`, an expression.
                    self.skip_to((",", end))
        self.next()
        return tuple(found), borrows

    def type(self):
        word = self.next()
        if word in ("&", "*"):
            while self.peek() in ("mut", "const") or self.peek().startswith("'"):
                self.next()
            self.type()
            return NONE
        if word == "(":
            args, _ = self.list(")")
            return Type("tuple", (), args)
        if word == "[":
            args, _ = self.list("]")
            return Type("array", (), args)
        if word.startswith("{closure@"):
            return Type("closure", (word,))
        if word == "impl":
            start = self.at
            self.skip_to((",", ">", ")", "]", ";", "{"))
            return Type("parameter", ("impl " + " ".join(self.tokens[start:self.at]),))
        if word in ("fn", "for", "unsafe", "extern", "dyn"):
            self.skip_to((",", ">", ")", "]", ";", "="))
            return NONE
        if word == "<":
            # `<T as Trait>::Name`: what an associated type is, the text does not say.
            self.at -= 1
            self.skip_to((",", ")", "]", ";", "="))
            return NONE
        if not re.match(r"[A-Za-z_]", word):
            return NONE
        return self.path(word)

    def path(self, word):
        path, args, borrows = [word], (), False
        while True:
            if self.peek() == "::":
                self.next()
                if self.peek() != "<":
                    path.append(self.next())
                    continue
            if self.peek() != "<":
                break
            self.next()
            args, borrows = self.list(">")
        if PARAMETER.fullmatch(word):
            # `T::Name` is as unknown as above.
            return Type("parameter", (word,)) if len(path) == 1 else NONE
        return Type("path", tuple(path), args, borrows)


@functools.lru_cache(maxsize=None)
def parse(text):
    """The type that a text begins with."""
    return _Parser(text).type()


class Def(NamedTuple):
    """A struct (with one variant), an enum, or another name for a type (with the type as its only
    field)."""

    kind: str
    module: tuple
    generics: tuple  # pairs of name and default
    variants: tuple  # pairs of name and fields, which are pairs of name and type
    is_whole: bool  # no field depends on the configuration


def _split(tokens):
    """Splits at commas that are in no brackets."""
    part, depth = [], 0
    for token in tokens:
        depth += (token.text in "([{<") - (token.text in ")]}>")
        if token.text == "," and depth == 0:
            yield part
            part = []
        else:
            part.append(token)
    if part:
        yield part


def _strip(tokens):
    """A field or variant without attributes and visibility; the second value says whether it has a
    `cfg`."""
    at, has_cfg = 0, False
    while at < len(tokens):
        if tokens[at].text == "#":
            has_cfg |= tokens[at + 2].text == "cfg"
            at = group_end(tokens, at + 1)
        elif tokens[at].text == "pub":
            at += 1
            if at < len(tokens) and tokens[at].text == "(" and tokens[at + 1].text in ("crate", "super", "in", "self"):
                at = group_end(tokens, at)
        else:
            break
    return tokens[at:], has_cfg


def _text(tokens):
    return " ".join(t.text for t in tokens)


def _fields(tokens):
    """The fields of `{ … }` or `( … )`, and whether none depends on the configuration."""
    found, whole = [], True
    named = tokens[:1] and tokens[0].text == "{"
    for part in _split(tokens[1:-1]):
        part, has_cfg = _strip(part)
        whole &= not has_cfg
        if named and len(part) > 2:
            found.append((part[0].text, parse(_text(part[2:]))))
        elif part and not named:
            found.append((str(len(found)), parse(_text(part))))
    return tuple(found), whole


def _generics(tokens):
    found = []
    for part in _split(tokens):
        if part[0].kind == "lifetime":
            continue
        words = [t.text for t in part]
        name = words[1] if words[0] == "const" else words[0]
        default = parse(_text(part[words.index("=") + 1:])) if "=" in words else NONE
        found.append((name, default))
    return tuple(found)


def _definition(tokens, at, module):
    """The definition that starts at `at` with its keyword, or nothing."""
    kind, at = tokens[at].text, at + 2
    generics = ()
    if at < len(tokens) and tokens[at].text == "<":
        end, depth = at, 0
        while end < len(tokens):
            depth += (tokens[end].text == "<") - (tokens[end].text == ">")
            end += 1
            if depth == 0:
                break
        generics, at = _generics(tokens[at + 1:end - 1]), end
    if kind == "type":
        end = head_end(tokens, at, stops=(";",))
        if tokens[at].text != "=":
            return None
        return Def(kind, module, generics, (("", (("", parse(_text(tokens[at + 1:end]))),)),), True)
    if at < len(tokens) and tokens[at].text == "(":
        body = tokens[at:group_end(tokens, at)]
    else:
        at = head_end(tokens, at)
        body = tokens[at:group_end(tokens, at)] if at < len(tokens) and tokens[at].text == "{" else []
    if kind == "struct":
        fields, whole = _fields(body)
        return Def(kind, module, generics, (("", fields),), whole)
    variants, whole = [], True
    for part in _split(body[1:-1]):
        part, has_cfg = _strip(part)
        if part:
            fields, all_fields = _fields(part[1:]) if part[1:] and part[1].text in "({" else ((), True)
            variants.append((part[0].text, fields))
            whole &= all_fields and not has_cfg
    return Def(kind, module, generics, tuple(variants), whole)


def _imports(tokens):
    """The names that `use` brings in, each with the words of its path."""
    found = {}

    def tree(words, at):
        while at < len(tokens):
            text = tokens[at].text
            if text == "{":
                end = group_end(tokens, at)
                inner = at + 1
                while inner < end - 1:
                    inner = tree(words, inner) + 1
                return end
            if text in (",", ";", "}"):
                return at
            if text == "as":
                found[tokens[at + 1].text] = words
                return at + 2
            if text not in ("::", "self", "super", "crate"):
                words = (*words, text)
            if words:
                found[words[-1]] = words
            at += 1
        return at

    for at, token in enumerate(tokens):
        if token.text == "use":
            tree((), at + 1)
    return found


class Types:
    """The definitions of some crates, and the types of which owners are looked for.

    Types are named by pairs of module and name. `owned` are those looked for, and `settled` those
    that own them and see to them when they are dropped. `is_owner` says whether a parameter stands
    for an owner.
    """

    def __init__(self, is_owner):
        self.owned, self.settled, self.is_owner = set(), set(), is_owner
        # For `is_owner`: whether a parameter without a known trait does.
        self.parameters = True
        self.defs, self.imports, self.traits, self.closures, self.known = {}, {}, set(), {}, {}

    def add(self, module, tokens):
        """Reads the definitions of a file."""
        self.imports[module] = _imports(tokens)
        for at, token in enumerate(tokens[:-2]):
            if token.text in ("struct", "enum", "type") and tokens[at + 1].kind == "ident":
                if definition := _definition(tokens, at, module):
                    self.defs.setdefault(tokens[at + 1].text, []).append(definition)

    def find(self, kind):
        """The definitions that a path can mean: its words occur in order in the path of the
        definition."""
        found = []
        for definition in self.defs.get(kind.path[-1], ()) if kind.kind == "path" else ():
            words = iter((*definition.module, kind.path[-1]))
            if all(word in words for word in kind.path):
                found.append(definition)
        return found

    def _qualified(self, kind, module, generics):
        """A type as a definition writes it, with its path as far as the file tells."""
        args = tuple(self._qualified(arg, module, generics) for arg in kind.args)
        path = kind.path
        if kind.kind == "path" and path[0] not in generics:
            if path[0] in self.imports[module]:
                path = self.imports[module][path[0]] + path[1:]
            elif len(path) == 1 and any(d.module == module for d in self.defs.get(path[0], ())):
                path = module + path
            elif len(path) == 1:
                path = ("", *path)
            else:
                path = tuple(word for word in path if word not in ("crate", "super", "self"))
        return kind._replace(path=path, args=args)

    def _fields(self, kind, definition):
        """The (name, fields) of a definition, with the arguments of the type put in."""
        given = kind.args + tuple(default for _, default in definition.generics[len(kind.args):])
        names = {name: arg for (name, _), arg in zip(definition.generics, given)}
        return [(name, [_put_in(self._qualified(ty, definition.module, names), names) for _, ty in fields])
                for name, fields in definition.variants]

    def variants(self, kind):
        """The (name, types of fields) of a type; nothing if they are not known."""
        if kind.kind == "tuple":
            return [("", kind.args)]
        if kind.kind == "closure":
            return [("", self.closures.get(kind.path[0], ()))]
        found = self.find(kind)
        if len(found) == 1 and found[0].is_whole and found[0].kind != "type":
            return self._fields(kind, found[0])
        if kind.kind == "path" and not found and kind.path[-1] in BUILTIN:
            names = dict(zip("TE", kind.args + (NONE, NONE)))
            return [(name, [names[field] for field in fields]) for name, fields in BUILTIN[kind.path[-1]]]
        return None

    def is_enum(self, kind):
        found = self.find(kind)
        return any(d.kind == "enum" for d in found) or kind.kind == "path" and not found and kind.path[-1] in BUILTIN

    def is_one_of(self, kind, names):
        return any((definition.module, kind.path[-1]) in names for definition in self.find(kind))

    def owns(self, kind):
        """Says whether a value of the type can own one of those looked for."""
        if kind not in self.known:
            self.known[kind] = False  # for types that contain themselves
            self.known[kind] = self._owns(kind)
        return self.known[kind]

    def _owns(self, kind):
        if kind.kind == "none":
            return False
        if kind.kind == "parameter":
            return self.is_owner(kind.path[0])
        if kind.kind in ("tuple", "array"):
            return any(map(self.owns, kind.args))
        if kind.kind == "closure":
            return any(map(self.owns, self.closures.get(kind.path[0], ())))
        if self.is_one_of(kind, self.owned):
            return True
        if kind.path[-1] in NO_OWNERS or kind.path[0] == UNFINISHED or self.is_one_of(kind, self.settled):
            return False
        if found := self.find(kind):
            return any(self.owns(ty) for definition in found
                       for _, fields in self._fields(kind, definition) for ty in fields)
        return not kind.borrows and any(map(self.owns, kind.args))


def _put_in(kind, names):
    """The type with arguments for its parameters."""
    if kind.kind in ("parameter", "path") and len(kind.path) == 1 and kind.path[0] in names:
        return names[kind.path[0]]
    return kind._replace(args=tuple(_put_in(arg, names) for arg in kind.args)) if kind.args else kind
