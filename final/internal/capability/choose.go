package capability

import "strings"

// Choose returns what a container keeps, given the values of -cap-add and
// -cap-drop, with Docker's meaning:
//
//   - -cap-add ALL: everything but what -cap-drop names,
//   - otherwise -cap-drop ALL: nothing but what -cap-add names,
//   - otherwise Default without what -cap-drop names, then with what -cap-add names,
//     so that an added capability wins over the same one dropped.
//
// The order on the command line has no meaning. The result can hold more than
// this machine can give: see [Sets.Available].
func Choose(add, drop []string) (Set, error) {
	added, addAll, err := parseWithAll(add)
	if err != nil {
		return 0, err
	}
	dropped, dropAll, err := parseWithAll(drop)
	switch {
	case err != nil:
		return 0, err
	case addAll:
		return All &^ dropped, nil
	case dropAll:
		return added, nil
	default:
		return Default&^dropped | added, nil
	}
}

// parseWithAll parses names among which ALL may be, in any case.
func parseWithAll(names []string) (s Set, all bool, err error) {
	var rest []string
	for _, name := range names {
		if strings.EqualFold(name, "ALL") {
			all = true
		} else {
			rest = append(rest, name)
		}
	}
	s, err = Parse(rest...)
	return s, all, err
}
