package capability

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"
)

// Set is a set of capabilities: bit n stands for the capability with number n.
type Set uint64

// Parse returns the set of the named capabilities. A name may be written as
// CAP_NET_RAW, NET_RAW or net_raw. The error for an unknown one names those
// that are spelled most like it.
func Parse(names ...string) (Set, error) {
	var s Set
	for _, name := range names {
		number := slices.Index(known[:], canonical(name))
		if number < 0 {
			return 0, fmt.Errorf("no capability is named %q; did you mean %s?", name, strings.Join(nearest(name), " or "))
		}
		s |= 1 << number
	}
	return s, nil
}

// Has tells whether the capability with this number is in the set.
func (s Set) Has(number int) bool {
	return s>>number&1 == 1
}

// Len returns how many capabilities the set has.
func (s Set) Len() int {
	return bits.OnesCount64(uint64(s))
}

// Names returns the names of the set's capabilities in the kernel's order, as
// in the OCI runtime-spec's process.capabilities. Parse is its inverse. One
// that is newer than this package is named by its number, as CAP_41.
func (s Set) Names() []string {
	names := make([]string, 0, s.Len())
	for _, number := range s.numbers() {
		names = append(names, nameOf(number))
	}
	return names
}

// String lists the names, separated by commas, and says none for the empty set.
func (s Set) String() string {
	if s == 0 {
		return "none"
	}
	return strings.Join(s.Names(), ",")
}

func (s Set) numbers() []int {
	numbers := make([]int, 0, s.Len())
	for rest := uint64(s); rest != 0; rest &= rest - 1 {
		numbers = append(numbers, bits.TrailingZeros64(rest))
	}
	return numbers
}

func nameOf(number int) string {
	if number < len(known) {
		return known[number]
	}
	return fmt.Sprintf("CAP_%d", number)
}

func canonical(name string) string {
	name = strings.ToUpper(name)
	if !strings.HasPrefix(name, "CAP_") {
		name = "CAP_" + name
	}
	return name
}

// nearest returns the two known names that take the fewest edits to make from
// name. A part of a name is near too: ADMIN means one of the ..._ADMIN.
func nearest(name string) []string {
	name = strings.TrimPrefix(canonical(name), "CAP_")
	if len(name) > 64 {
		name = name[:64] // nobody meant that, and edits take quadratic time
	}
	names := slices.Clone(known[:])
	cost := func(candidate string) int {
		candidate = strings.TrimPrefix(candidate, "CAP_")
		if name != "" && strings.Contains(candidate, name) {
			return 1
		}
		return edits(name, candidate)
	}
	slices.SortStableFunc(names, func(a, b string) int { return cost(a) - cost(b) })
	return names[:2]
}

// edits counts the letters to insert, delete or replace to make b from a
// (Levenshtein's distance), row by row.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
