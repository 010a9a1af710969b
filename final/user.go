//go:build linux

package main

import (
	"fmt"
	"strconv"
	"strings"

	"gonsrun/final/internal/mounts"
)

// lookUpUser finds who the command shall run as, from UID, UID:GID, NAME or
// NAME:GROUP, in the root file system's /etc/passwd and /etc/group, and the
// home folder that goes with it.
func lookUpUser(root, given string) (user User, home string, err error) {
	name, group, hasGroup := strings.Cut(given, ":")
	if name == "" {
		name = "0"
	}
	passwd, groups := mounts.ReadFile(root, "/etc/passwd"), mounts.ReadFile(root, "/etc/group")
	entry := entryOf(passwd, name, 2)
	home = "/"
	if entry != nil {
		name, home = entry[0], entry[5]
		user.UID, err = number("-user", entry[2])
		if err == nil {
			user.GID, err = number("-user", entry[3])
		}
	} else {
		user.UID, err = number("-user", name)
		if err != nil {
			err = fmt.Errorf("-user %s: no such user in the container's /etc/passwd, and no number either", given)
		}
	}
	if err != nil {
		return user, "", err
	}
	if user.UID == 0 {
		home = "/root"
	}
	if hasGroup {
		if entry := entryOf(groups, group, 2); entry != nil {
			group = entry[2]
		}
		if user.GID, err = number("-user", group); err != nil {
			return user, "", fmt.Errorf("-user %s: no such group in the container's /etc/group, and no number either", given)
		}
	}
	for _, line := range strings.Split(groups, "\n") {
		if fields := strings.Split(line, ":"); len(fields) >= 4 && entry != nil && containsName(fields[3], name) {
			if gid, err := strconv.Atoi(fields[2]); err == nil && gid != user.GID {
				user.AdditionalGIDs = append(user.AdditionalGIDs, gid)
			}
		}
	}
	return user, home, nil
}

// entryOf returns the fields of the line of passwd(5) or group(5) whose first
// field, or whose field at id, is name.
func entryOf(text, name string, id int) []string {
	for _, line := range strings.Split(text, "\n") {
		fields := strings.Split(line, ":")
		if len(fields) >= 4 && (fields[0] == name || fields[id] == name) {
			return append(fields, "", "", "")
		}
	}
	return nil
}

func containsName(list, name string) bool {
	for _, one := range strings.Split(list, ",") {
		if one == name {
			return true
		}
	}
	return false
}

// number reads an id: 0 to 2³²-2.
func number(flag, text string) (int, error) {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || n == 1<<32-1 {
		return 0, fmt.Errorf("%s %s: not a user or group number", flag, text)
	}
	return int(n), nil
}
