//go:build linux

package main

import (
	"slices"

	"gonsrun/final/internal/capability"
	"gonsrun/final/internal/cgroup"
	"gonsrun/final/internal/mounts"
)

// Spec describes a container. It is shaped and named like the OCI
// runtime-spec's config.json, as far as a container here needs it. The flags of
// run fill it; the two sides only ever see it.
type Spec struct {
	OCIVersion string         `json:"ociVersion"`
	Hostname   string         `json:"hostname"`
	Process    Process        `json:"process"`
	Root       Root           `json:"root"`
	Mounts     []mounts.Mount `json:"mounts"`
	Linux      Linux          `json:"linux"`
	Network    Network        `json:"network"`

	// What a class left out, to see what it was for.
	Without []string `json:"without,omitempty"`
}

// Process is the command and what it may do.
type Process struct {
	Args            []argument     `json:"args"`
	Env             []argument     `json:"env"`
	Cwd             string         `json:"cwd"`
	Terminal        bool           `json:"terminal"`
	Logged          bool           `json:"logged,omitempty"` // its output goes to the log
	User            User           `json:"user"`
	Capabilities    capability.Set `json:"capabilities"`
	NoNewPrivileges bool           `json:"noNewPrivileges"`
	Init            bool           `json:"init,omitempty"`
}

// User is who the command runs as, in the container's own numbers.
type User struct {
	UID            int   `json:"uid"`
	GID            int   `json:"gid"`
	AdditionalGIDs []int `json:"additionalGids,omitempty"`
}

// Root is the root file system. Layers and Mountpoint are where its overlay is
// made, in the container's own mount namespace.
type Root struct {
	Path       string `json:"path"`
	Readonly   bool   `json:"readonly"`
	Layers     string `json:"layers,omitempty"`
	Mountpoint string `json:"mountpoint,omitempty"`
	Keep       bool   `json:"keep,omitempty"` // the upper layer is on disk, and stays
	Lent       bool   `json:"lent,omitempty"` // the container's side cannot reach Path, and is handed it
}

// Linux is what only Linux has.
type Linux struct {
	Namespaces    []string         `json:"namespaces"` // as in /proc/PID/ns: uts, pid, mnt, …
	Resources     cgroup.Resources `json:"resources"`
	Cgroup        *cgroup.Group    `json:"cgroup,omitempty"`     // nil without the right to make one
	JoinCgroup    bool             `json:"joinCgroup,omitempty"` // the container's side joins it by itself, in v1
	Seccomp       bool             `json:"seccomp"`              // the default filter
	MaskedPaths   []string         `json:"maskedPaths"`
	ReadonlyPaths []string         `json:"readonlyPaths"`
}

// has reports whether the container gets a namespace of its own of that name.
func (s Spec) has(namespace string) bool { return slices.Contains(s.Linux.Namespaces, namespace) }

// without reports whether a class left this primitive out.
func (s Spec) without(primitive string) bool { return slices.Contains(s.Without, primitive) }

// argument is a string of any bytes: JSON itself takes only UTF-8, while the
// command must get what was typed.
type argument string

// MarshalText writes the bytes, with those that are not UTF-8 escaped.
func (a argument) MarshalText() ([]byte, error) { return escapeBytes(string(a)), nil }

// UnmarshalText reads what MarshalText wrote.
func (a *argument) UnmarshalText(text []byte) error {
	s, err := unescapeBytes(text)
	*a = argument(s)
	return err
}

func arguments(list []string) []argument {
	converted := make([]argument, len(list))
	for i, s := range list {
		converted[i] = argument(s)
	}
	return converted
}

func words(list []argument) []string {
	converted := make([]string, len(list))
	for i, s := range list {
		converted[i] = string(s)
	}
	return converted
}
