//go:build linux

package main

import (
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
}

// Process is the command and what it may do.
type Process struct {
	Args []string `json:"args"`
	Env  []string `json:"env"`
	Cwd  string   `json:"cwd"`
}

// Root is the root file system. Layers and Mountpoint are where its overlay is
// made, in the container's own mount namespace.
type Root struct {
	Path       string `json:"path"`
	Layers     string `json:"layers,omitempty"`
	Mountpoint string `json:"mountpoint,omitempty"`
}

// Linux is what only Linux has.
type Linux struct {
	Namespaces    []string         `json:"namespaces"` // as in /proc/PID/ns: uts, pid, mnt, …
	Resources     cgroup.Resources `json:"resources"`
	MaskedPaths   []string         `json:"maskedPaths"`
	ReadonlyPaths []string         `json:"readonlyPaths"`
}
