//go:build linux

package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
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
	if err := o.completeNetwork(); err != nil {
		return err
	}
	for _, option := range o.security {
		if option != "seccomp=unconfined" && option != "no-new-privileges" {
			return fmt.Errorf("-security-opt %s: only seccomp=unconfined and no-new-privileges (always on here) are known", option)
		}
	}
	return nil
}

// completeNetwork is complete for what concerns the network.
func (o *options) completeNetwork() error {
	without := slices.Contains(o.without, "net")
	if len(o.publish) > 0 && rootless() && (o.network == "" || o.network == "bridge") {
		return &statusError{statusFailed,
			"Type:\n  " + rootLine + "\nOr share the host's network. Then a port that the command opens is one of the host's:\n  " +
				typed(append([]string{"run", "-network", "host"}, o.command...)...),
			fmt.Errorf("-p %s: a published port leads over a bridge on the host, and only root may make one", o.publish[0])}
	}
	switch o.network {
	case "":
		o.network, o.networkUnasked = "bridge", len(o.publish) == 0
		if rootless() || without {
			o.network = "none"
		}
	case "bridge":
		if without {
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
