//go:build linux

package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"gonsrun/final/internal/cgroup"
	"gonsrun/final/internal/idmap"
	"gonsrun/final/internal/mounts"
	"gonsrun/final/internal/publish"
	"gonsrun/final/internal/state"
)

// The statuses of a container, from the OCI runtime-spec (runtime.md, State).
const (
	creating = "creating"
	created  = "created"
	running  = "running"
	stopped  = "stopped"
)

// State is what has become of a container. It begins like the OCI
// runtime-spec's state.
type State struct {
	OCIVersion string    `json:"ociVersion"`
	ID         string    `json:"id"`
	Status     string    `json:"status"`
	PID        int       `json:"pid,omitempty"` // on the host
	Bundle     string    `json:"bundle"`        // the container's folder
	Name       string    `json:"name"`
	Created    time.Time `json:"created"`
	Finished   time.Time `json:"finished,omitzero"`
	ExitStatus int       `json:"exitStatus"`
	OOMKilled  bool      `json:"oomKilled,omitempty"`
	Detached   bool      `json:"detached,omitempty"`
	AutoRemove bool      `json:"autoRemove,omitempty"`
}

// container is a container as the host's side knows it.
type container struct {
	spec  Spec
	state State
	dir   *state.Dir
	group *cgroup.Group // nil without the right to make one

	console   console
	log       io.WriteCloser // what a detached container prints
	forwarder *publish.Forwarder
	netns     *os.File // the container's network namespace
	ids       idmap.Mapping
	ours      pipes
}

// create makes the container's folder, and chooses what else will be made.
func create(spec Spec, o *options) (*container, error) {
	dir, err := newFolder(o.name)
	if err != nil {
		return nil, err
	}
	c := &container{spec: spec, dir: dir}
	c.state = State{
		OCIVersion: spec.OCIVersion, ID: c.dir.ID, Status: creating, Bundle: c.dir.Path,
		Name: o.name, Created: time.Now().UTC(), Detached: o.detach, AutoRemove: o.remove || !o.detach,
	}
	if c.state.Name == "" {
		c.state.Name = c.dir.ID
	}
	for _, step := range []func() error{c.chooseFolders, c.findGroup, c.save} {
		if err := step(); err != nil {
			c.dir.Remove()
			return nil, err
		}
	}
	return c, nil
}

// writeDown writes down all that is going to be made, and makes the folders for
// the root. The container's side is just starting meanwhile, and dies with us.
func (c *container) writeDown() error {
	if err := c.save(); err != nil {
		return err
	}
	if err := c.dir.Save("config", c.spec); err != nil {
		return err
	}
	for _, dir := range []string{c.spec.Root.Mountpoint, c.spec.Root.Layers} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	return nil
}

// newFolder makes a folder under a new id. Only one container can have a name.
func newFolder(name string) (*state.Dir, error) {
	if name == "" {
		return state.Create(state.NewID())
	}
	unlock, err := state.LockNames()
	if err != nil {
		return nil, err
	}
	defer unlock()
	list, err := all()
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(list, func(c *container) bool { return c.state.Name == name || c.state.ID == name }) {
		return nil, fmt.Errorf("-name %s: a container has that name already. See it, or remove it:\n  %s\n  %s", name, typed("ps", "-a"), typed("rm", name))
	}
	dir, err := state.Create(state.NewID())
	if err != nil {
		return nil, err
	}
	if err := dir.Save("state", State{ID: dir.ID, Name: name, Status: creating}); err != nil {
		dir.Remove()
		return nil, err
	}
	return dir, nil
}

// save writes down the state.
func (c *container) save() error { return c.dir.Save("state", c.state) }

// chooseFolders chooses where the container's side mounts its root, and where
// what the container writes goes: with -keep, on disk, into the user's cache folder.
func (c *container) chooseFolders() error {
	root := &c.spec.Root
	root.Mountpoint, root.Layers = c.dir.Path+"/root", c.dir.Path+"/layers"
	if !root.Keep {
		return nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return fmt.Errorf("-keep: no cache folder to keep it in: %w; set HOME or XDG_CACHE_HOME", err)
	}
	root.Layers = filepath.Join(cache, "gonsrun", "kept", c.dir.ID)
	return nil
}

// findGroup looks where the container's cgroup will be. Without the right to
// make one there is none, unless a limit was asked for.
func (c *container) findGroup() error {
	if c.spec.without("limits") {
		return nil
	}
	group, err := cgroup.Find(c.dir.ID, c.spec.Linux.Resources)
	if err != nil {
		return err
	}
	if !group.Writable() {
		if c.spec.Linux.Resources != (cgroup.Resources{}) {
			return fmt.Errorf("a limit needs a cgroup, and you may not make one in %s: be root (sudo), or leave the limit out", group.Where())
		}
		note("No limits: you may not make a cgroup in %s.", group.Where())
		return nil
	}
	c.group, c.spec.Linux.Cgroup = group, group
	joins := slices.ContainsFunc(group.Trees, func(t cgroup.Tree) bool { return !t.V2 })
	c.spec.Linux.JoinCgroup = joins && !c.spec.has("user") // root there has no right to the host's files
	below := slices.IndexFunc(c.spec.Mounts, func(m mounts.Mount) bool { return m.Destination == "/sys" }) + 1
	c.spec.Mounts = slices.Insert(c.spec.Mounts, below, cgroupMounts(group)...)
	return nil
}

// cgroupMounts show the container its own groups, read-only: the one of v2 at
// the usual place, those of v1 in folders there.
func cgroupMounts(group *cgroup.Group) (list []mounts.Mount) {
	const dir = "/sys/fs/cgroup"
	options := []string{"nosuid", "noexec", "nodev", "ro"}
	v1 := slices.ContainsFunc(group.Trees, func(t cgroup.Tree) bool { return !t.V2 })
	if v1 {
		list = append(list, mounts.Mount{Destination: dir, Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "noexec", "nodev", "mode=755"}})
	}
	for _, t := range group.Trees {
		switch {
		case !t.V2:
			list = append(list, mounts.Mount{Destination: dir + "/" + filepath.Base(t.Dir), Type: "cgroup", Source: "cgroup",
				Options: append(slices.Clone(options), t.Options)})
		case !v1:
			list = append(list, mounts.Mount{Destination: dir, Type: "cgroup2", Source: "cgroup2", Options: options})
		}
	}
	return list
}

// limit makes the container's cgroup, sets its limits, and puts the
// container's first process into it.
func (c *container) limit() error {
	if c.group == nil {
		return nil
	}
	if err := c.group.Make(c.spec.Linux.Resources); err != nil {
		return err
	}
	return c.group.Add(c.state.PID, c.spec.Linux.JoinCgroup)
}

// destroy removes what was made for the container, in the reverse order. A
// detached container's folder stays for ps -a and logs, until rm.
func (c *container) destroy() {
	c.disconnect()
	if c.group != nil {
		c.group.Kill()
		c.group.Remove()
	}
	if c.spec.Root.Keep {
		c.keep()
	}
	if !c.state.AutoRemove && c.state.Status == stopped {
		c.dir.Release()
		return
	}
	c.dir.Remove()
}

// keep says where what the container wrote is kept, if it wrote anything.
func (c *container) keep() {
	upper := c.spec.Root.Layers + "/upper"
	if entries, _ := os.ReadDir(upper); len(entries) > 0 {
		note("What the container wrote is kept in %s .", upper)
		return
	}
	note("The container wrote nothing: there is nothing to keep.")
	os.RemoveAll(c.spec.Root.Layers)
}
