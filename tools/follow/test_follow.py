# SPDX-License-Identifier: GPL-2.0
"""Tests of follow.py with two made-up kernels. The static check "follow" runs them."""

import contextlib
import io
import pathlib
import re
import tempfile
import unittest

import follow

OLD = """#include <linux/udp.h>

#define MOST 64
/* What it does. */
struct sk_buff *gather(struct sk_buff *skb)
{
\tint n = 0;

\tif (!skb)
\t\tgoto out;
out:
\treturn n ? skb : NULL;
}
EXPORT_SYMBOL(gather);

static void other(void)
{
\tcall(1);
}

enum size {
\tSMALL,
};
"""
ROWS = "file\tdrivers/net/wireguard/*.c\t.*\tx\nfile\tnet/*.c\tgather|sent\tx\n"


class Follow(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="wg-follow-")
        self.addCleanup(folder.cleanup)
        self.trees = [pathlib.Path(folder.name, name) for name in ("old", "new")]
        for tree in self.trees:
            for path in ("drivers/net/wireguard/main.c", "net/gro.c"):
                (tree / path).parent.mkdir(parents=True, exist_ok=True)
                (tree / path).write_text(OLD)

    def change(self, path, before, after):
        file = self.trees[1] / path
        text = file.read_text()
        self.assertIn(before, text)
        file.write_text(text.replace(before, after))

    def found(self, rows=ROWS):
        return list(follow.changes(follow.Table(rows), *self.trees))

    def compare(self, rows=ROWS):
        with contextlib.redirect_stdout(io.StringIO()) as output:
            return follow.compare(follow.Table(rows), *self.trees, False), output.getvalue()

    def test_pieces_have_the_names_of_what_they_are(self):
        self.assertEqual(list(follow.pieces(OLD)), ["(top)", "MOST", "gather", "other", "size"])

    def test_sources_that_are_alike_have_no_changes(self):
        self.assertEqual(self.found(), [])

    def test_a_change_is_told_by_its_function(self):
        self.change("net/gro.c", "n ? skb", "n > 1 ? skb")
        [(_, where, lines)] = self.found()
        self.assertEqual(where, "net/gro.c: gather")
        self.assertEqual(lines, ["- return n ? skb : NULL;", "+ return n > 1 ? skb : NULL;"])

    def test_functions_that_nothing_depends_on_are_passed_over(self):
        self.change("net/gro.c", "call(1)", "call(2)")
        self.assertEqual(self.found(), [])
        self.change("drivers/net/wireguard/main.c", "call(1)", "call(2)")
        self.assertEqual([where for _, where, _ in self.found()], ["drivers/net/wireguard/main.c: other"])

    def test_comments_and_spaces_are_no_change(self):
        self.change("net/gro.c", "/* What it does. */", "/*\n * More.\n */")
        self.change("net/gro.c", "\tint n = 0;\n\n", "\tint n = 0;\n")
        self.assertEqual(self.found(), [])

    def test_files_and_functions_may_come_and_go(self):
        (self.trees[1] / "drivers/net/wireguard/main.c").rename(self.trees[1] / "drivers/net/wireguard/more.c")
        names = {where for _, where, _ in self.found()}
        self.assertIn("drivers/net/wireguard/main.c: gather", names)
        self.assertIn("drivers/net/wireguard/more.c: gather", names)

    def test_the_number_stays_when_the_function_moves(self):
        self.change("net/gro.c", "n ? skb", "n > 1 ? skb")
        before = self.found()[0][0]
        self.change("net/gro.c", "#define MOST 64", "#define MOST 64\n\n#define LEAST 1\n")
        self.assertEqual(self.found()[0][0], before)

    def test_a_change_without_a_row_is_open(self):
        self.change("net/gro.c", "n ? skb", "n > 1 ? skb")
        number = self.found()[0][0]
        self.assertEqual(self.compare()[0], 1)
        self.assertEqual(self.compare(f"{ROWS}change\t{number}\tx\topen\t\n")[0], 1)
        for state in ("taken", "not needed"):
            is_open, text = self.compare(f"{ROWS}change\t{number}\tx\t{state}\treason\n")
            self.assertEqual(is_open, 0)
            self.assertIn("(reason)", text)

    def test_a_state_needs_its_reason(self):
        for row in ("change\t1\tx\ttaken\t\n", "change\t1\tx\tdone\treason\n", "changes\n"):
            with self.assertRaises(SystemExit):
                follow.Table(row)

    def test_what_differs_was_not_followed(self):
        number = follow.fingerprint(follow.Table(ROWS), self.trees[0])
        table = follow.Table(f"{ROWS}followed\tthe old one\t{number}\n")
        follow.check(table, self.trees[0])
        follow.check(table, self.trees[1])
        self.change("net/gro.c", "n ? skb", "n > 1 ? skb")
        with self.assertRaisesRegex(SystemExit, "differs from the old one"):
            follow.check(table, self.trees[1])

    def test_nothing_is_adopted_while_a_change_is_open(self):
        table = pathlib.Path(self.trees[0].parent, "table")
        table.write_text(f"{ROWS}followed\told\t0\n")
        self.addCleanup(setattr, follow, "TABLE", follow.TABLE)
        follow.TABLE = table
        self.change("net/gro.c", "n ? skb", "n > 1 ? skb")
        with contextlib.redirect_stdout(io.StringIO()):
            with self.assertRaises(SystemExit):
                follow.adopt(follow.Table(table.read_text()), *self.trees, "new")
            self.assertIn("followed\told\t0", table.read_text())
            row = f"change\t{self.found()[0][0]}\tx\ttaken\there\n"
            table.write_text(table.read_text() + row)
            follow.adopt(follow.Table(table.read_text()), *self.trees, "new")
        self.assertTrue(re.search(r"(?m)^followed\tnew\t[0-9a-f]{16}$", table.read_text()))


if __name__ == "__main__":
    unittest.main()
