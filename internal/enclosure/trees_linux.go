package enclosure

import (
	"os"
	"slices"
	"strings"
)

// Tree is a mounted cgroup tree: of v1 controllers, or of v2 when V1 is "". The
// group Root is at Dir: not always the tree's own, Docker's containers see of v1
// only their own group and what is below.
type Tree struct{ Root, Dir, V1, Controllers string }

// Trees reads the mount table, see proc_pid_mountinfo(5).
func Trees() (trees []Tree) {
	for _, line := range lines("/proc/self/mountinfo") {
		mount, super, _ := strings.Cut(line, " - ")
		root, dir := strings.Fields(mount)[3], strings.Fields(mount)[4]
		switch options := strings.Fields(super); options[0] {
		case "cgroup2":
			controllers, _ := os.ReadFile(dir + "/cgroup.controllers")
			trees = append(trees, Tree{root, dir, "", string(controllers)})
		case "cgroup":
			controllers := slices.DeleteFunc(strings.Split(options[2], ","), func(option string) bool {
				return option == "rw" || option == "ro" || strings.Contains(option, "release_agent") || option == "xattr"
			})
			trees = append(trees, Tree{root, dir, strings.Join(controllers, ","), strings.Join(controllers, " ")})
		}
	}
	return trees
}

// lines returns the lines of a small file, none when it cannot be read.
func lines(file string) []string {
	text, _ := os.ReadFile(file)
	if len(text) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}
