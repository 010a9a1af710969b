package narrate

import (
	"path"
	"slices"
	"strings"

	"gonsrun/internal/trace"
)

// The words in which the catalogue says of which calls a rule is true.

// option is true of calls whose first argument has one of these values.
func option(values ...uint64) condition {
	return func(c *trace.Call) bool { return slices.Contains(values, c.Values[0]&0xffffffff) }
}

// value is true of calls whose argument number i, from 0, is want.
func value(i int, want uint64) condition {
	return func(c *trace.Call) bool { return c.Values[i]&0xffffffff == want }
}

// hasBits is true of calls whose argument number i has one of these bits.
func hasBits(i int, any uint64) condition {
	return func(c *trace.Call) bool { return c.Values[i]&any != 0 }
}

// mounts is true of a mount with one of these flags.
func mounts(any uint64) condition {
	return func(c *trace.Call) bool { return c.MountFlags()&any != 0 }
}

// kind is true of calls about one of these file systems.
func kind(names ...string) condition {
	return func(c *trace.Call) bool { return slices.Contains(names, c.Kind) }
}

// file is true of calls about a file with one of these names.
func file(names ...string) condition {
	return func(c *trace.Call) bool { return slices.Contains(names, base(c)) }
}

// below is true of calls about a path in one of these folders.
func below(parts ...string) condition {
	return func(c *trace.Call) bool {
		return slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(folder(c)+"/", part) })
	}
}

// says is true of calls whose text has one of these words, as strace prints it.
func says(words ...string) condition {
	return func(c *trace.Call) bool {
		return slices.ContainsFunc(words, func(word string) bool { return strings.Contains(c.Text(), word) })
	}
}

// writes is true of calls that write one of these values, or begin with it and a blank.
func writes(values ...string) condition {
	return func(c *trace.Call) bool {
		first, _, _ := strings.Cut(written(c), " ")
		return slices.Contains(values, first)
	}
}

func both(conditions ...condition) condition {
	return func(c *trace.Call) bool {
		return !slices.ContainsFunc(conditions, func(is condition) bool { return !is(c) })
	}
}

func not(is condition) condition { return func(c *trace.Call) bool { return !is(c) } }

// What a rule may say more of a call.

func words(said string) text { return func(*trace.Call) string { return said } }

func base(c *trace.Call) string { return path.Base(c.Path) }

func folder(c *trace.Call) string { return path.Dir(path.Clean(c.Path)) }

func whole(c *trace.Call) string { return shown(c.Path) }

func written(c *trace.Call) string { return strings.TrimSpace(string(c.Data)) }

// shown is text of a program's, in a sentence: without what a terminal would obey,
// and not longer than a line.
func shown(s string) string {
	quoted := trace.Quote(s)
	return cut(quoted[1:len(quoted)-1], 60)
}
