//go:build linux

package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"gonsrun/final/internal/state"
)

// load reads a container from its folder.
func load(dir *state.Dir) (*container, error) {
	c := &container{dir: dir}
	if err := dir.Load("state", &c.state); err != nil {
		return nil, err
	}
	if err := dir.Load("config", &c.spec); err != nil && c.state.Status != creating {
		return nil, err
	}
	c.group = c.spec.Linux.Cgroup
	return c, nil
}

// all lists the containers of this user, the youngest first.
func all() ([]*container, error) {
	dirs, err := state.List()
	var list []*container
	for _, dir := range dirs {
		if c, err := load(dir); err == nil {
			list = append(list, c)
		}
	}
	slices.SortFunc(list, func(a, b *container) int { return b.state.Created.Compare(a.state.Created) })
	return list, err
}

// find finds a container by its name, its id, or the beginning of its id.
func find(name string) (*container, error) {
	if name == "" {
		return nil, fmt.Errorf("a container's name is empty. See which containers there are:\n  %s", typed("ps", "-a"))
	}
	list, err := all()
	if err != nil {
		return nil, err
	}
	var matches []*container
	for _, c := range list {
		if c.state.Name == name || c.state.ID == name {
			return c, nil
		}
		if strings.HasPrefix(c.state.ID, name) {
			matches = append(matches, c)
		}
	}
	switch len(matches) {
	case 1:
		return matches[0], nil
	case 0:
		return nil, fmt.Errorf("there is no container %q. See which there are:\n  %s", name, typed("ps", "-a"))
	}
	return nil, fmt.Errorf("%q is the beginning of %d ids: give more of it", name, len(matches))
}

// alive reports whether the container is there: somebody looks after it, and it
// has not ended.
func (c *container) alive() bool {
	return c.state.Status != stopped && c.dir.Kept() && (c.state.PID == 0 || unix.Kill(c.state.PID, 0) != unix.ESRCH)
}

// kill sends a signal to the container's first process, once there is one.
func (c *container) kill(sig unix.Signal) error {
	if c.state.PID == 0 {
		return fmt.Errorf("container %s is only being created: try again", c.state.Name)
	}
	if err := unix.Kill(c.state.PID, sig); err != nil && err != unix.ESRCH {
		return fmt.Errorf("kill(%d, %s): %w", c.state.PID, unix.SignalName(sig), err)
	}
	return nil
}

// sweep removes what killed keepers left: their containers died with them.
func sweep() (swept []string) {
	dirs, _ := state.List()
	alive := 0
	for _, dir := range dirs {
		if dir.Kept() {
			alive++
			continue
		}
		c, err := load(dir)
		if err == nil && c.state.Status == stopped || !dir.Claim() {
			continue
		}
		if err != nil { // its keeper was killed before it had written anything down
			dir.Remove()
			continue
		}
		if c.state.Detached && !c.state.AutoRemove {
			c.state.Status, c.state.ExitStatus, c.state.Finished = stopped, 128+int(unix.SIGKILL), time.Now()
			c.save()
		}
		c.destroy()
		swept = append(swept, c.state.ID)
	}
	if alive == 0 {
		sweepNetwork()
	}
	if len(dirs) == 0 {
		state.Tidy()
	}
	return swept
}
