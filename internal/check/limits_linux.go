package check

import (
	"strconv"
	"strings"
)

// sameLimit reports whether the text of a limit's file means the expected limit.
// The kernel rounds memory down to pages; half a CPU is half a CPU in any period.
func sameLimit(controller, value, expected string) bool {
	if controller != "cpu" {
		return value == expected
	}
	got, want := strings.Fields(value), strings.Fields(expected)
	if len(got) != 2 {
		return false
	}
	a, err1 := strconv.ParseFloat(got[0], 64)
	b, err2 := strconv.ParseFloat(got[1], 64)
	c, _ := strconv.ParseFloat(want[0], 64)
	d, _ := strconv.ParseFloat(want[1], 64)
	return err1 == nil && err2 == nil && b > 0 && a/b == c/d
}
