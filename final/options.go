//go:build linux

package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"gonsrun/final/internal/capability"
	"gonsrun/final/internal/cgroup"
	"gonsrun/final/internal/mounts"
	"gonsrun/internal/proc"
	"gonsrun/internal/rootfs"
)

// options are what the reader typed after run.
type options struct {
	rootfs, hostname, name           string
	memory, memorySwap, cpus, cpuset string
	pidsLimit                        int64
	readOnly, keep                   bool
	volumes, tmpfs                   list
	network                          string
	networkUnasked                   bool
	publish                          list
	capAdd, capDrop, security        list
	user                             string
	privileged, userns               bool
	input, terminal, both, init      bool
	without                          list
	env, envFiles                    list
	workdir                          string
	remove, detach                   bool
	command                          []string
}

// list is a flag that may be given more than once.
type list []string

// String is the flag's default, for the manual.
func (l *list) String() string { return "" }

// Set adds one more.
func (l *list) Set(value string) error {
	*l = append(*l, value)
	return nil
}

// primitives are what -without can leave out.
var primitives = []string{"uts", "pid", "mnt", "ipc", "net", "cgroupns", "user", "pivot", "mask", "caps", "nnp", "seccomp", "limits"}

// flags defines run's flags.
func (o *options) flags(f *flag.FlagSet) {
	f.StringVar(&o.rootfs, "rootfs", "", "use the root file system in `DIR`, not the one made here")
	f.StringVar(&o.hostname, "hostname", "container", "the container's host`name`")
	f.StringVar(&o.name, "name", "", "a `name` for the container, to use in place of its id")
	f.StringVar(&o.memory, "memory", "", "limit memory to `BYTES`; k, m and g are understood: 64m")
	f.StringVar(&o.memorySwap, "memory-swap", "", "limit memory and swap together to `BYTES`, -1 for no limit (default twice -memory)")
	f.StringVar(&o.cpus, "cpus", "", "limit CPU time to this `number` of CPUs: 0.5")
	f.StringVar(&o.cpuset, "cpuset-cpus", "", "run on these CPUs only, a `list` such as 0-2,7")
	f.Int64Var(&o.pidsLimit, "pids-limit", 0, "limit the `number` of processes")
	f.BoolVar(&o.readOnly, "read-only", false, "make the root read-only")
	f.BoolVar(&o.keep, "keep", false, "keep what the container wrote to its root, and say where")
	alias(f, &o.volumes, "v", "volume", "mount a folder or file of the host: `SRC:DST[:ro]`")
	f.Var(&o.tmpfs, "tmpfs", "mount an empty tmpfs: `DST[:options]`")
	f.StringVar(&o.network, "network", "", "none, host or bridge (default bridge for root, none for others)")
	alias(f, &o.publish, "p", "publish", "make a port of the container reachable: `[HOSTIP:]PORT:CPORT[/tcp|udp]`")
	f.Var(&o.capAdd, "cap-add", "keep one more `capability`, or ALL")
	f.Var(&o.capDrop, "cap-drop", "drop one more `capability`, or ALL")
	f.Var(&o.security, "security-opt", "seccomp=unconfined: no filter")
	f.StringVar(&o.user, "user", "", "run the command as `UID[:GID] or NAME` of the container")
	f.StringVar(&o.user, "u", "", "the same as -user")
	f.BoolVar(&o.privileged, "privileged", false, "every capability, no filter, nothing masked: no isolation to rely on")
	f.BoolVar(&o.userns, "userns", false, "as root, too: a user namespace, in which root is nobody on the host")
	f.BoolVar(&o.input, "i", false, "pass stdin on (in the foreground it always is)")
	f.BoolVar(&o.terminal, "t", false, "a terminal of the container's own (default on a terminal)")
	f.BoolVar(&o.both, "it", false, "-i and -t")
	f.BoolVar(&o.both, "ti", false, "the same as -it")
	f.BoolVar(&o.init, "init", false, "put a small init at pid 1 that reaps orphans and passes signals on")
	f.Var(&o.without, "without", "leave out `PRIMITIVE[,…]` to see what it was for: "+strings.Join(primitives, " "))
	alias(f, &o.env, "e", "env", "set an environment variable: `NAME=VALUE`, or NAME for its value here")
	f.Var(&o.envFiles, "env-file", "read environment variables from `FILE`, one a line")
	f.StringVar(&o.workdir, "w", "", "start the command in `DIR`")
	f.StringVar(&o.workdir, "workdir", "", "the same as -w")
	f.BoolVar(&o.remove, "rm", false, "remove a detached container when it ends, as one in the foreground always is")
	f.BoolVar(&o.detach, "d", false, "run in the background, and print the id")
	f.BoolVar(&o.detach, "detach", false, "the same as -d")
}

func alias(f *flag.FlagSet, value flag.Value, short, long, usage string) {
	f.Var(value, short, usage)
	f.Var(value, long, "the same as -"+short)
}

// rootless reports whether an ordinary user asks.
func rootless() bool { return os.Geteuid() != 0 }

// complete checks what needs no look at the root file system, and fills in
// what follows from the rest.
func (o *options) complete() error {
	o.terminal = o.terminal || o.both || onTerminal() && !o.detach
	var left list
	for _, given := range o.without {
		left = append(left, strings.Split(given, ",")...)
	}
	o.without = left
	for _, name := range left {
		if !slices.Contains(primitives, name) {
			return fmt.Errorf("-without %s: there is no such primitive, choose from %s", name, strings.Join(primitives, " "))
		}
	}
	if slices.Contains(left, "user") && rootless() {
		return fmt.Errorf("-without user: only root may make the other namespaces without a user namespace around them, so type  sudo  before it, or leave the user namespace in")
	}
	if o.keep && o.userns && !rootless() {
		return fmt.Errorf("-keep -userns: root in the user namespace is nobody on the host, and cannot write to your folders, so leave out one of the two")
	}
	if err := checkName("-name", o.name, 64); err != nil {
		return err
	}
	if err := checkName("-hostname", o.hostname, 64); err != nil {
		return err
	}
	if len(o.publish) > 0 && rootless() && (o.network == "" || o.network == "bridge") {
		return &statusError{statusFailed,
			"Type:\n  " + rootLine + "\nOr share the host's network. Then a port that the command opens is one of the host's:\n  " +
				typed(append([]string{"run", "-network", "host"}, o.command...)...),
			fmt.Errorf("-p %s: a published port leads over a bridge on the host, and only root may make one", o.publish[0])}
	}
	switch o.network {
	case "":
		o.network, o.networkUnasked = "bridge", len(o.publish) == 0
		if rootless() || slices.Contains(left, "net") {
			o.network = "none"
		}
	case "bridge":
		if slices.Contains(left, "net") {
			return fmt.Errorf("-network bridge -without net: the bridge leads into a network namespace, so leave out one of the two")
		}
		if rootless() {
			return fmt.Errorf("-network bridge: making a bridge on the host takes root; as an ordinary user there is -network none (loopback only) and host")
		}
	case "none", "host":
	default:
		return fmt.Errorf("-network %s: choose none, host or bridge", o.network)
	}
	if len(o.publish) > 0 && o.network != "bridge" {
		return fmt.Errorf("-p %s: a port is published from the bridge network, and this container has -network %s", o.publish[0], o.network)
	}
	for _, option := range o.security {
		if option != "seccomp=unconfined" && option != "no-new-privileges" {
			return fmt.Errorf("-security-opt %s: only seccomp=unconfined and no-new-privileges (always on here) are known", option)
		}
	}
	return nil
}

// checkName accepts what is safe as a hostname, in a path, and in a terminal.
func checkName(flag, name string, longest int) error {
	if len(name) > longest {
		return fmt.Errorf("%s: %d bytes are too many, at most %d", flag, len(name), longest)
	}
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	if strings.Trim(name, letters+"_.-") != "" || strings.Trim(name[:min(1, len(name))], letters) != "" {
		return fmt.Errorf("%s %q: letters, digits, and after the first one also _ . and - are allowed", flag, name)
	}
	return nil
}

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

const (
	minMemory = 6 << 20 // bytes; with less, not even a shell starts
	cpuPeriod = 100_000 // microseconds, the kernel's default
	maxPids   = 1 << 22 // more than any kernel has, proc_sys_kernel(5), pid_max
)

// resources reads the limits.
func (o *options) resources(spec *Spec) (err error) {
	r := &spec.Linux.Resources
	if o.memory != "" {
		if r.Memory, err = parseBytes(o.memory); err != nil {
			return fmt.Errorf("-memory %s: %w", o.memory, err)
		}
		if r.Memory < minMemory {
			return fmt.Errorf("-memory %s: no command starts in less than %d MiB, give -memory 64m", o.memory, minMemory>>20)
		}
		r.Swap = 2 * r.Memory
	}
	switch {
	case o.memorySwap == "":
	case r.Memory == 0:
		return fmt.Errorf("-memory-swap %s: it counts memory and swap together, so it needs -memory too", o.memorySwap)
	case o.memorySwap == "-1":
		r.Swap = -1
	default:
		if r.Swap, err = parseBytes(o.memorySwap); err != nil {
			return fmt.Errorf("-memory-swap %s: %w", o.memorySwap, err)
		}
		if r.Swap < r.Memory {
			return fmt.Errorf("-memory-swap %s: it counts memory and swap together, so it cannot be less than -memory %s", o.memorySwap, o.memory)
		}
	}
	if o.cpus != "" {
		cpus, err := strconv.ParseFloat(o.cpus, 64)
		if err != nil || !(cpus >= 0.01 && cpus <= float64(runtime.NumCPU())) {
			return fmt.Errorf("-cpus %s: give a number from 0.01 to %d, the CPUs of this machine", o.cpus, runtime.NumCPU())
		}
		r.Quota, r.Period = int64(cpus*cpuPeriod), cpuPeriod
	}
	if o.cpuset != "" {
		if err := checkCPUs(o.cpuset); err != nil {
			return fmt.Errorf("-cpuset-cpus %s: %w", o.cpuset, err)
		}
	}
	r.Cpus = o.cpuset
	if o.pidsLimit < 0 || o.pidsLimit > maxPids {
		return fmt.Errorf("-pids-limit %d: give a number of processes from 1 to %d, or 0 for no limit", o.pidsLimit, maxPids)
	}
	r.PidsLimit = o.pidsLimit
	if spec.without("limits") && *r != (cgroup.Resources{}) {
		return fmt.Errorf("-without limits: and yet a limit is given, leave out one of the two")
	}
	return nil
}

// checkCPUs wants a list as in cpuset(7), of CPUs that this machine has.
func checkCPUs(list string) error {
	online := cpus(proc.Read("/sys/devices/system/cpu/online"))
	given := cpus(list)
	for _, cpu := range given {
		if len(online) > 0 && !slices.Contains(online, cpu) {
			return fmt.Errorf("this machine has no CPU %d", cpu)
		}
	}
	if given == nil {
		return fmt.Errorf("give a list such as 0-2,7")
	}
	return nil
}

// cpus reads a list such as 0-2,7; nil is what is none.
func cpus(list string) (numbers []int) {
	for _, part := range strings.Split(list, ",") {
		from, to, isRange := strings.Cut(part, "-")
		if !isRange {
			to = from
		}
		first, err1 := strconv.ParseUint(from, 10, 16)
		last, err2 := strconv.ParseUint(to, 10, 16)
		if err1 != nil || err2 != nil || last < first {
			return nil
		}
		for n := first; n <= last; n++ {
			numbers = append(numbers, int(n))
		}
	}
	return numbers
}

// parseBytes reads a size: 64m is 64 MiB.
func parseBytes(text string) (int64, error) {
	digits, unit := strings.TrimSuffix(strings.ToLower(text), "b"), int64(1)
	for suffix, size := range map[string]int64{"k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40} {
		if number, ok := strings.CutSuffix(digits, suffix); ok {
			digits, unit = number, size
			break
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || n > (1<<62)/unit {
		return 0, fmt.Errorf("give a number of bytes, such as 67108864 or 64m")
	}
	return n * unit, nil
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
