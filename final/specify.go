//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"gonsrun/final/internal/capability"
	"gonsrun/final/internal/mounts"
	"gonsrun/internal/rootfs"
)

// spec describes the container that was asked for. note says what was made for
// it, when the default root file system had to be.
func (o *options) spec() (spec Spec, note string, err error) {
	spec = Spec{OCIVersion: "1.2.0", Hostname: o.hostname, Without: o.without}
	spec.Process.Init = o.init
	spec.Process.NoNewPrivileges = !o.privileged && !spec.without("nnp")
	spec.Process.Terminal, spec.Process.Logged = o.terminal, o.detach && !o.terminal
	spec.Linux.Seccomp = !o.privileged && !spec.without("seccomp") && !slices.Contains(o.security, "seccomp=unconfined")
	spec.Linux.Namespaces = o.namespaces()
	spec.Network.Mode, spec.Network.Unasked = o.network, o.networkUnasked
	spec.Root.Readonly, spec.Root.Keep = o.readOnly, o.keep
	spec.Root.Lent = spec.has("user") && !rootless()
	if !o.privileged && !spec.without("mask") {
		spec.Linux.MaskedPaths, spec.Linux.ReadonlyPaths = maskedPaths, readonlyPaths
	}
	for _, step := range []func(*Spec) error{o.capabilities, o.resources, o.environment, o.ports} {
		if err := step(&spec); err != nil {
			return spec, "", err
		}
	}
	if spec.Root.Path, note, err = rootfs.Prepare(o.rootfs); err != nil {
		return spec, "", err
	}
	for _, step := range []func(*Spec) error{o.lookIntoRoot, o.mounts, o.process} {
		if err := step(&spec); err != nil {
			return spec, "", err
		}
	}
	return spec, note, nil
}

// namespaces are those that the container gets of its own.
func (o *options) namespaces() (names []string) {
	for _, name := range []string{"mnt", "uts", "ipc", "user", "pid", "net", "cgroup"} {
		primitive := name
		if name == "cgroup" {
			primitive = "cgroupns"
		}
		switch {
		case slices.Contains(o.without, primitive),
			name == "user" && !rootless() && !o.userns,
			name == "net" && o.network == "host":
		default:
			names = append(names, name)
		}
	}
	return names
}

func (o *options) capabilities(spec *Spec) (err error) {
	add := o.capAdd
	if o.privileged || spec.without("caps") {
		add = append(add, "ALL")
	}
	if spec.Process.Capabilities, err = capability.Choose(add, o.capDrop); err != nil {
		return fmt.Errorf("-cap-add, -cap-drop: %w", err)
	}
	return nil
}

// environment is clean: nothing of the caller's but what was asked for.
func (o *options) environment(spec *Spec) error {
	env := []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOSTNAME=" + o.hostname,
		"PS1=" + o.hostname + ":$PWD# ",
	}
	if o.terminal {
		env = append(env, "TERM="+os.Getenv("TERM"))
	}
	given := []string{}
	for _, file := range o.envFiles {
		text, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("-env-file %s: %w", file, err)
		}
		for _, line := range strings.Split(string(text), "\n") {
			if line = strings.TrimSuffix(line, "\r"); line != "" && !strings.HasPrefix(line, "#") {
				given = append(given, line)
			}
		}
	}
	for _, variable := range append(given, o.env...) {
		name, _, hasValue := strings.Cut(variable, "=")
		switch value, here := os.LookupEnv(name); {
		case name == "":
			return fmt.Errorf("-e %q: give NAME=VALUE, or NAME for its value here", variable)
		case hasValue:
			env = setVariable(env, variable)
		case here:
			env = setVariable(env, name+"="+value)
		}
	}
	spec.Process.Env = arguments(env)
	return nil
}

// setVariable replaces the variable of the same name, or adds it.
func setVariable(env []string, variable string) []string {
	name, _, _ := strings.Cut(variable, "=")
	env = slices.DeleteFunc(env, func(other string) bool { return strings.HasPrefix(other, name+"=") })
	return append(env, variable)
}

// lookIntoRoot refuses a folder that does not look like a root file system.
func (o *options) lookIntoRoot(spec *Spec) error {
	root := spec.Root.Path
	if info, err := os.Stat(root + "/proc"); err != nil || !info.IsDir() {
		return fmt.Errorf("-rootfs %s: there is no folder proc in it to mount on: make it with  mkdir %s/proc", root, root)
	}
	return nil
}

// process reads what depends on the root file system.
func (o *options) process(spec *Spec) (err error) {
	p := &spec.Process
	p.Args = arguments(o.command)
	p.Cwd = "/"
	if o.workdir != "" {
		if !filepath.IsAbs(o.workdir) {
			return fmt.Errorf("-w %s: give an absolute path in the container", o.workdir)
		}
		p.Cwd = filepath.Clean(o.workdir)
	}
	var home string
	if p.User, home, err = lookUpUser(spec.Root.Path, o.user); err != nil {
		return err
	}
	if !slices.ContainsFunc(p.Env, func(v argument) bool { return strings.HasPrefix(string(v), "HOME=") }) {
		p.Env = append(p.Env, argument("HOME="+home))
	}
	return nil
}

// mounts are the default ones and those that were asked for.
func (o *options) mounts(spec *Spec) error {
	spec.Mounts = defaultMounts(spec)
	for _, volume := range o.volumes {
		parts := strings.Split(volume, ":")
		if len(parts) < 2 || len(parts) > 3 || len(parts) == 3 && parts[2] != "ro" && parts[2] != "rw" {
			return fmt.Errorf("-v %s: give SRC:DST or SRC:DST:ro", volume)
		}
		if err := checkPath("-v "+volume, "source", parts[0]); err != nil {
			return err
		}
		if err := checkPath("-v "+volume, "destination", parts[1]); err != nil {
			return err
		}
		if err := unix.Access(parts[0], unix.F_OK); err != nil {
			return fmt.Errorf("-v %s: the source %s is not there: %w", volume, parts[0], err)
		}
		m := mounts.Mount{Destination: parts[1], Source: parts[0], Options: []string{"rbind", "nosuid", "nodev"}}
		if len(parts) == 3 && parts[2] == "ro" {
			m.Options = append(m.Options, "ro")
		}
		spec.Mounts = append(spec.Mounts, m)
	}
	for _, given := range o.tmpfs {
		destination, opts, _ := strings.Cut(given, ":")
		if err := checkPath("-tmpfs "+given, "destination", destination); err != nil {
			return err
		}
		m := mounts.Mount{Destination: destination, Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "nodev", "noexec"}}
		if opts != "" {
			m.Options = append(m.Options, strings.Split(opts, ",")...)
		}
		spec.Mounts = append(spec.Mounts, m)
	}
	return nil
}

// checkPath wants paths that mean one place.
func checkPath(flag, what, path string) error {
	switch {
	case !filepath.IsAbs(path):
		return fmt.Errorf("%s: the %s %q is not an absolute path", flag, what, path)
	case slices.Contains(strings.Split(path, "/"), ".."):
		return fmt.Errorf("%s: the %s %q has a .. in it, give the path without", flag, what, path)
	case what == "destination" && filepath.Clean(path) == "/":
		return fmt.Errorf("%s: the destination / would hide the whole root, use -rootfs", flag)
	case what == "destination" && filepath.Clean(path) == "/dev":
		return fmt.Errorf("%s: the container has a /dev of its own, give a place in it, such as /dev/fuse", flag)
	}
	return nil
}
