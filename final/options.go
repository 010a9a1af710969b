//go:build linux

package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"

	"gonsrun/final/internal/cgroup"
	"gonsrun/final/internal/mounts"
	"gonsrun/internal/narrate"
	"gonsrun/internal/rootfs"
)

// options are what the reader typed.
type options struct {
	narration narrate.Config
	rootfs    string
	hostname  string
	memory    string
	cpus      string
	pidsLimit int64
	command   []string
}

// parseArguments reads the command line. Bad input ends the program before
// anything is made.
func parseArguments(args []string) (o options) {
	o.narration = narrate.Config{Program: "final", Args: args, Side: narrate.Host, NeedsRoot: true, Compact: true}
	narrate.Speak(narrate.Config{Program: "final", Args: args, Side: narrate.Host, NeedsRoot: true, Quiet: true})
	flags := o.flagSet()
	parse := func(args []string) []string {
		switch err := flags.Parse(args); {
		case err == flag.ErrHelp:
			printManual(flags)
			os.Exit(0)
		case err != nil:
			narrate.FailUsage(err.Error())
		}
		return flags.Args()
	}
	rest := parse(args)
	switch {
	case len(rest) == 0:
		narrate.FailUsage("what shall it do? There is no \"run\" and no command")
	case rest[0] == "help":
		printManual(flags)
		os.Exit(0)
	case rest[0] != "run":
		narrate.FailUsage(fmt.Sprintf("there is no %q here, only \"run\"", rest[0]))
	}
	o.command = parse(rest[1:])
	if len(o.command) == 0 {
		narrate.FailUsage("\"run\" needs a command to run")
	}
	return o
}

func (o *options) flagSet() *flag.FlagSet {
	flags := flag.NewFlagSet("final", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.BoolVar(&o.narration.Pause, "pause", false, "wait for Enter before each call")
	flags.BoolVar(&o.narration.Quiet, "quiet", false, "narrate nothing")
	flags.BoolVar(&o.narration.JSON, "json", false, "narrate in JSON, one object a line")
	flags.StringVar(&o.rootfs, "rootfs", "", "use the root file system in `DIR`, not the one made here")
	flags.StringVar(&o.hostname, "hostname", "container", "the container's host`name`")
	flags.StringVar(&o.memory, "memory", "", "limit memory to `BYTES`; k, m and g are understood: 64m")
	flags.StringVar(&o.cpus, "cpus", "", "limit CPU time to this `number` of CPUs: 0.5")
	flags.Int64Var(&o.pidsLimit, "pids-limit", 0, "limit the `number` of processes")
	return flags
}

func printManual(flags *flag.FlagSet) {
	narrate.PrintManual(manual, "final [flags] run [flags] COMMAND [ARG…]", flags)
}

// spec describes the container that was asked for. note says what was made for
// it, when the default root file system had to be.
func (o options) spec() (spec Spec, note string, err error) {
	resources, err := o.resources()
	if err != nil {
		return spec, "", err
	}
	root, note, err := rootfs.Prepare(o.rootfs)
	if err != nil {
		return spec, "", err
	}
	return Spec{
		OCIVersion: "1.2.0",
		Hostname:   o.hostname,
		Process: Process{
			Args: o.command,
			Env: []string{
				"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
				"HOME=/root",
				"HOSTNAME=" + o.hostname,
				"TERM=" + os.Getenv("TERM"),
				"PS1=" + o.hostname + ":$PWD# ",
			},
			Cwd: "/",
		},
		Root:   Root{Path: root},
		Mounts: defaultMounts(),
		Linux: Linux{
			Namespaces:    []string{"mnt", "uts", "ipc", "pid", "net", "cgroup"},
			Resources:     resources,
			MaskedPaths:   maskedPaths,
			ReadonlyPaths: readonlyPaths,
		},
	}, note, nil
}

// defaultMounts are those that the OCI runtime-spec asks for (config-linux.md,
// Default Filesystems).
func defaultMounts() []mounts.Mount {
	return []mounts.Mount{
		{Destination: "/proc", Type: "proc", Source: "proc", Options: []string{"nosuid", "noexec", "nodev"},
			Why: "A new /proc shows the processes of this PID namespace, and no others."},
		{Destination: "/sys", Type: "sysfs", Source: "sysfs", Options: []string{"nosuid", "noexec", "nodev", "ro"},
			Why: "A new /sys shows the interfaces of this network namespace. The rest of it is the machine's: read-only."},
		{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "nodev", "strictatime", "mode=755", "size=65536k"},
			Why: "Devices are the host's. The container gets a /dev with those few that harm nobody."},
		{Destination: "/dev/pts", Type: "devpts", Source: "devpts", Options: []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"},
			Why: "Pseudo-terminals of its own."},
		{Destination: "/dev/shm", Type: "tmpfs", Source: "shm", Options: []string{"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"},
			Why: "Shared memory of its own."},
	}
}

// The paths that Docker masks and makes read-only: they show or change what is
// the machine's, not the container's.
var (
	maskedPaths = []string{"/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys",
		"/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi",
		"/sys/firmware", "/sys/devices/virtual/powercap"}
	readonlyPaths = []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}
)

const (
	minMemory = 6 << 20 // bytes; with less, not even a shell starts
	cpuPeriod = 100_000 // microseconds, the kernel's default
)

// resources reads the limits.
func (o options) resources() (r cgroup.Resources, err error) {
	if o.memory != "" {
		if r.Memory, err = parseBytes(o.memory); err != nil {
			return r, fmt.Errorf("-memory %s: %w", o.memory, err)
		}
		if r.Memory < minMemory {
			return r, fmt.Errorf("-memory %s: no command starts in less than %d MiB, give -memory 64m", o.memory, minMemory>>20)
		}
		r.Swap = 2 * r.Memory
	}
	if o.cpus != "" {
		cpus, err := strconv.ParseFloat(o.cpus, 64)
		if err != nil || cpus < 0.01 || cpus > float64(runtime.NumCPU()) {
			return r, fmt.Errorf("-cpus %s: give a number from 0.01 to %d, the CPUs of this machine", o.cpus, runtime.NumCPU())
		}
		r.Quota, r.Period = int64(cpus*cpuPeriod), cpuPeriod
	}
	if o.pidsLimit < 0 {
		return r, fmt.Errorf("-pids-limit %d: give a number of processes, 1 or more, or 0 for no limit", o.pidsLimit)
	}
	r.PidsLimit = o.pidsLimit
	return r, nil
}

// parseBytes reads a size: 64m is 64 MiB.
func parseBytes(text string) (int64, error) {
	digits, unit := strings.ToLower(strings.TrimSuffix(strings.ToLower(text), "b")), int64(1)
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
