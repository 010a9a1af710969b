//go:build linux

// Package idmap says who is who in a user namespace (user_namespaces(7)): which
// user of the host stands behind each user id of the container.
//
// An ordinary user may map one id, their own, to one in the namespace: root is
// the user there, and nobody else has an id. Where the system has given them a
// range of subordinate ids (subuid(5)) and the set-user-ID programs newuidmap
// and newgidmap to use it, the container has 65536 users or so: root is the user,
// and all others are ids of the range. Root maps a range with no rights on the
// host: even root in the container is nobody outside.
package idmap

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// The range that root maps where /etc/subuid has none for root. It lies above
// what useradd(8) gives away (up to 600100000) and systemd does for its own
// containers (up to 0x6fffffff, see its UIDS-GIDS.md).
const (
	defaultFirst = 2_000_000_000
	defaultCount = 65536
)

// entry is a line of uid_map: count ids from inside on are those from outside on.
type entry struct{ inside, outside, count int }

// Mapping is who is who: users and groups.
type Mapping struct {
	uids, gids []entry
	helper     bool // newuidmap and newgidmap must write it
}

// machine is where this machine says what ids there are.
type machine struct {
	passwd, subuid, subgid string
	uidMap, gidMap         string // of our own user namespace
}

var here = machine{"/etc/passwd", "/etc/subuid", "/etc/subgid", "/proc/self/uid_map", "/proc/self/gid_map"}

// For returns the mapping for a user of this machine, by numbers.
func For(uid, gid int) (Mapping, error) { return here.mapping(uid, gid) }

func (m machine) mapping(uid, gid int) (Mapping, error) {
	name := userName(m.passwd, uid)
	uids := subordinate(m.subuid, name, uid)
	gids := subordinate(m.subgid, name, uid) // also by the user's name, see subgid(5)
	if uid == 0 {
		return Mapping{uids: []entry{roots(uids, m.uidMap)}, gids: []entry{roots(gids, m.gidMap)}}, nil
	}
	mapping := Mapping{uids: []entry{{0, uid, 1}}, gids: []entry{{0, gid, 1}}}
	_, err1 := exec.LookPath("newuidmap")
	_, err2 := exec.LookPath("newgidmap")
	if uids.count > 0 && gids.count > 0 && err1 == nil && err2 == nil {
		mapping = Mapping{append(mapping.uids, uids), append(mapping.gids, gids), true}
	}
	return mapping, nil
}

// roots is the range that root maps: the given one, if any, else the default.
// Root of a user namespace that has not these ids, as in a rootless container,
// maps those that it has.
func roots(given entry, mapFile string) entry {
	if given.count == 0 {
		given = entry{0, defaultFirst, defaultCount}
	}
	given.inside = 0
	own := readMap(mapFile)
	for _, e := range own {
		if e.inside <= given.outside && given.outside+given.count <= e.inside+e.count {
			return given
		}
	}
	if len(own) == 0 {
		return given
	}
	return entry{0, own[0].inside, min(own[0].count, defaultCount)}
}

// readMap reads a file like /proc/self/uid_map.
func readMap(file string) (entries []entry) {
	text, _ := os.ReadFile(file)
	for _, line := range strings.Split(string(text), "\n") {
		var e entry
		if _, err := fmt.Sscan(line, &e.inside, &e.outside, &e.count); err == nil {
			entries = append(entries, e)
		}
	}
	return entries
}

// userName is the name in a file like /etc/passwd, "" for none.
func userName(file string, uid int) string {
	passwd, _ := os.ReadFile(file)
	for _, line := range strings.Split(string(passwd), "\n") {
		if fields := strings.Split(line, ":"); len(fields) > 2 && fields[2] == strconv.Itoa(uid) {
			return fields[0]
		}
	}
	return ""
}

// subordinate finds the first range that a file in the form of subuid(5) gives
// to a user. In the namespace it begins at 1.
func subordinate(file, name string, uid int) entry {
	text, _ := os.ReadFile(file)
	for _, line := range strings.Split(string(text), "\n") {
		fields := strings.Split(line, ":")
		if len(fields) != 3 || fields[0] != strconv.Itoa(uid) && (name == "" || fields[0] != name) {
			continue
		}
		first, err1 := strconv.Atoi(fields[1])
		count, err2 := strconv.Atoi(fields[2])
		if err1 == nil && err2 == nil && count > 0 {
			return entry{1, first, count}
		}
	}
	return entry{}
}

// Single reports whether root is the only user: no other id can be used, and
// groups cannot be changed.
func (m Mapping) Single() bool { return len(m.uids) == 1 && m.uids[0].count == 1 }

// NeedsHelper reports whether newuidmap and newgidmap must write the map, once
// the process is there: see Apply. Where not, who starts the process writes it,
// see Attributes.
func (m Mapping) NeedsHelper() bool { return m.helper }

// Attributes has syscall.ForkExec write the map, before the new process executes
// its program as root of the namespace.
func (m Mapping) Attributes(sys *syscall.SysProcAttr) {
	for _, e := range m.uids {
		sys.UidMappings = append(sys.UidMappings, syscall.SysProcIDMap{ContainerID: e.inside, HostID: e.outside, Size: e.count})
	}
	for _, e := range m.gids {
		sys.GidMappings = append(sys.GidMappings, syscall.SysProcIDMap{ContainerID: e.inside, HostID: e.outside, Size: e.count})
	}
	// Without a privilege, giving up setgroups is the condition for mapping a
	// group: it could take away what a group is forbidden.
	sys.GidMappingsEnableSetgroups = !m.Single()
	sys.Credential = &syscall.Credential{NoSetGroups: m.Single()}
}

// Apply maps the ids of the user namespace that process pid is in, with
// newuidmap(1) and newgidmap(1). Nobody can do it a second time.
func (m Mapping) Apply(pid int) error {
	if err := help("newuidmap", pid, m.uids); err != nil {
		return err
	}
	return help("newgidmap", pid, m.gids)
}

// help has a set-user-ID program write the map.
func help(program string, pid int, entries []entry) error {
	args := []string{strconv.Itoa(pid)}
	for _, e := range entries {
		args = append(args, strconv.Itoa(e.inside), strconv.Itoa(e.outside), strconv.Itoa(e.count))
	}
	command := exec.Command(program, args...)
	var said bytes.Buffer
	command.Stderr = &said
	if err := command.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s (see /etc/subuid and /etc/subgid)", strings.Join(command.Args, " "), err, strings.TrimSpace(said.String()))
	}
	return nil
}

// Restricted says why this machine may refuse user namespaces, and what to
// type; "" when no reason is known.
func Restricted() string {
	read := func(name string) string {
		value, _ := os.ReadFile("/proc/sys/" + name)
		return strings.TrimSpace(string(value))
	}
	switch {
	case read("kernel/apparmor_restrict_unprivileged_userns") == "1":
		return "AppArmor restricts user namespaces here (Ubuntu 23.10 and later). Use sudo for the whole line, or type:\n  sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
	case read("kernel/unprivileged_userns_clone") == "0":
		return "user namespaces are for root only here. Type:\n  sudo sysctl -w kernel.unprivileged_userns_clone=1"
	case read("user/max_user_namespaces") == "0":
		return "user namespaces are switched off here. Type:\n  sudo sysctl -w user.max_user_namespaces=10000"
	}
	return ""
}
