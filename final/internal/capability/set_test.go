package capability

import (
	"slices"
	"strings"
	"testing"
)

func TestParseSpellings(t *testing.T) {
	for _, name := range []string{"CAP_NET_RAW", "NET_RAW", "net_raw", "Cap_Net_Raw"} {
		s, err := Parse(name)
		if err != nil || s != 1<<13 {
			t.Errorf("Parse(%q) = %#x, %v; want 1<<13", name, uint64(s), err)
		}
	}
}

func TestParseNamesTheUnknownAndTheNearest(t *testing.T) {
	for name, near := range map[string]string{
		"CAP_NET_ROW": "CAP_NET_RAW",
		"sys_amdin":   "CAP_SYS_ADMIN",
		"PTRACE":      "CAP_SYS_PTRACE",
		"CAP_CHOWN ":  "CAP_CHOWN",
		"setuids":     "CAP_SETUID",
	} {
		_, err := Parse("CAP_CHOWN", name)
		if err == nil || !strings.Contains(err.Error(), `"`+name+`"`) || !strings.Contains(err.Error(), near) {
			t.Errorf("Parse(%q): %v; want an error with that name and %s", name, err, near)
		}
	}
	for _, name := range []string{"", "CAP_", "\xff\xfe", strings.Repeat("A", 1<<20)} {
		if _, err := Parse(name); err == nil {
			t.Errorf("Parse(%.10q) is no error", name)
		}
	}
}

func TestNamesAndParseAreInverse(t *testing.T) {
	for _, s := range []Set{0, 1, Default, All, 1 << 40} {
		back, err := Parse(s.Names()...)
		if err != nil || back != s {
			t.Errorf("Parse of the names of %#x = %#x, %v", uint64(s), uint64(back), err)
		}
	}
	if got := Set(1<<41 | 1).String(); got != "CAP_CHOWN,CAP_41" {
		t.Errorf("a capability that is newer than the list: %s", got)
	}
	if got := Set(0).String(); got != "none" {
		t.Errorf("the empty set is %q", got)
	}
}

// The value is what /proc/PID/status shows in a container of Docker's.
func TestDefaultIsDockers(t *testing.T) {
	if Default != 0xa80425fb {
		t.Errorf("Default = %#x (%s)", uint64(Default), Default)
	}
	if All != 0x1ffffffffff {
		t.Errorf("All = %#x", uint64(All))
	}
}

func TestChoose(t *testing.T) {
	must := func(names ...string) Set { return mustParse(names...) }
	for _, c := range []struct {
		name      string
		add, drop []string
		want      Set
	}{
		{"nothing asked", nil, nil, Default},
		{"add one", []string{"sys_admin"}, nil, Default | must("SYS_ADMIN")},
		{"drop one", nil, []string{"CAP_NET_RAW"}, Default &^ must("NET_RAW")},
		{"drop one that is not there", nil, []string{"SYS_TIME"}, Default},
		{"drop all", nil, []string{"all"}, 0},
		{"drop all, add one", []string{"CHOWN"}, []string{"ALL"}, must("CHOWN")},
		{"drop all and one, add it", []string{"CHOWN"}, []string{"CHOWN", "ALL"}, must("CHOWN")},
		{"add all", []string{"ALL"}, nil, All},
		{"add all, drop one", []string{"ALL"}, []string{"SYS_MODULE"}, All &^ must("SYS_MODULE")},
		{"add all and one, drop it", []string{"ALL", "SYS_MODULE"}, []string{"SYS_MODULE"}, All &^ must("SYS_MODULE")},
		{"add all, drop all", []string{"ALL"}, []string{"ALL"}, All},
		{"add and drop the same", []string{"KILL"}, []string{"KILL"}, Default},
	} {
		if got, err := Choose(c.add, c.drop); err != nil || got != c.want {
			t.Errorf("%s: got %s, %v; want %s", c.name, got, err, c.want)
		}
	}
	for _, bad := range [][2][]string{{{"BANANA"}, nil}, {nil, {"BANANA"}}, {{"ALL"}, {"BANANA"}}, {{"ALL", "BANANA"}, nil}} {
		if _, err := Choose(bad[0], bad[1]); err == nil || !strings.Contains(err.Error(), `"BANANA"`) {
			t.Errorf("Choose(%v): %v; want an error that names BANANA", bad, err)
		}
	}
}

func TestNoNameStandsTwice(t *testing.T) {
	names := slices.Sorted(slices.Values(known[:]))
	if len(slices.Compact(names)) != 41 {
		t.Errorf("not 41 different names: %v", names)
	}
}
