//go:build linux

package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"gonsrun/final/internal/capability"
	"gonsrun/final/internal/cgroup"
	"gonsrun/final/internal/doctor"
	"gonsrun/internal/proc"
)

func inspectCommand() command {
	var asJSON bool
	return command{
		name: "inspect", synopsis: "[-json] CONTAINER", summary: "show a container and the host side by side",
		example: "final inspect web",
		define: func(f *flag.FlagSet) {
			f.BoolVar(&asJSON, "json", false, "the description and the state, as JSON (default when stdout is no terminal)")
		},
		do: func(args []string) (int, error) {
			sweep()
			c, err := theOne(args)
			if err != nil {
				return 0, err
			}
			if _, err := unix.IoctlGetTermios(1, unix.TCGETS); asJSON || err != nil {
				encoder := json.NewEncoder(os.Stdout)
				encoder.SetIndent("", "  ")
				return 0, encoder.Encode(struct {
					Config Spec  `json:"config"`
					State  State `json:"state"`
				}{c.spec, c.state})
			}
			c.show()
			return 0, nil
		},
	}
}

// show prints what the kernel says of the container and of us, side by side.
func (c *container) show() {
	t := table{wraps: true, flexible: []flexible{{2, 24}, {1, 24}}}
	defer func() { t.print(columns()) }()
	row := func(name, container, host string) { t.row(name, container, host) }
	row("", "CONTAINER "+c.state.Name, "HOST")
	row("id", c.state.ID, "")
	row("status", c.status(), "")
	row("command", shorten(c.commandLine(), 200), "")
	if !c.alive() {
		return
	}
	pid := fmt.Sprint(c.state.PID)
	pids := strings.Fields(proc.StatusField(pid, "NSpid"))
	row("pid of number 1", pids[len(pids)-1], pid)
	for _, ns := range []string{"uts", "pid", "mnt", "ipc", "net", "cgroup", "user"} {
		theirs, _ := os.Readlink("/proc/" + pid + "/ns/" + ns)
		ours, _ := os.Readlink("/proc/self/ns/" + ns)
		mark := "own"
		if theirs == ours {
			mark = "host's"
		}
		row(ns+" namespace", theirs+" "+mark, ours)
	}
	row("hostname", c.spec.Hostname, proc.Read("/proc/sys/kernel/hostname"))
	row("address", c.spec.Network.Address, c.spec.Network.Gateway)
	row("ports", strings.Join(c.spec.Network.Ports, " "), "")
	mounted, _ := os.ReadFile("/proc/" + pid + "/mounts")
	ours, _ := os.ReadFile("/proc/self/mounts")
	row("mounts", fmt.Sprint(strings.Count(string(mounted), "\n")), fmt.Sprint(strings.Count(string(ours), "\n")))
	if c.group != nil {
		row("cgroup", "/", c.group.Where())
		u := c.group.Usage()
		row("memory", size(u.Memory)+limit(u.MemoryLimit, size), "")
		row("pids", count(u.Pids)+limit(u.PidsLimit, count), "")
		row("CPU time", time.Duration(max(0, u.CPU)*int64(time.Microsecond)).Round(time.Millisecond).String(), "")
	}
	sets, err := capability.Read(c.state.PID)
	if err == nil {
		row("capabilities", fmt.Sprint(sets.Effective.Len()), "")
		for _, name := range sets.Effective.Names() {
			row("", name, "")
		}
	}
	modes := map[string]string{"0": "off", "1": "strict", "2": "filter"}
	row("seccomp", modes[proc.StatusField(pid, "Seccomp")], modes[proc.StatusField("self", "Seccomp")])
}

// size is a number of bytes as people read it; -1 is one that nobody counts.
func size(n int64) string {
	switch {
	case n < 0:
		return "-"
	case n < 1<<20:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}

func count(n int64) string {
	if n < 0 {
		return "-"
	}
	return fmt.Sprint(n)
}

func limit(n int64, show func(int64) string) string {
	if n < 0 {
		return ""
	}
	return " of " + show(n)
}

func statsCommand() command {
	var once bool
	return command{
		name: "stats", synopsis: "[-once]", summary: "show what the containers take, on a terminal every second",
		example: "final stats -once",
		define:  func(f *flag.FlagSet) { f.BoolVar(&once, "once", false, "show it once") },
		do: func(args []string) (int, error) {
			if err := noArguments(args); err != nil {
				return 0, err
			}
			_, err := unix.IoctlGetTermios(1, unix.TCGETS)
			before := map[string]int64{}
			printStats(before, 0)
			for !once && err == nil {
				time.Sleep(time.Second)
				fmt.Print("\x1b[H\x1b[J")
				printStats(before, time.Second)
			}
			return 0, nil
		},
	}
}

// printStats prints one table. before holds the CPU time of the one before,
// which was printed the interval ago.
func printStats(before map[string]int64, interval time.Duration) {
	t := table{flexible: []flexible{{1, 12}}}
	t.row("ID", "NAME", "CPU", "MEMORY", "PIDS")
	list, _ := all()
	for _, c := range list {
		if !c.alive() {
			continue
		}
		u := cgroup.Usage{Memory: -1, MemoryLimit: -1, CPU: -1, Pids: -1, PidsLimit: -1} // nobody counts without a cgroup
		if c.group != nil {
			u = c.group.Usage()
		}
		cpu := "-"
		if last, known := before[c.state.ID]; known && u.CPU >= 0 && interval > 0 {
			cpu = fmt.Sprintf("%.1f%%", float64(u.CPU-last)/float64(interval.Microseconds())*100)
		}
		before[c.state.ID] = u.CPU
		t.row(c.state.ID, c.state.Name, cpu, size(u.Memory)+limit(u.MemoryLimit, size), count(u.Pids)+limit(u.PidsLimit, count))
	}
	t.print(columns())
}

func doctorCommand() command {
	return command{
		name: "doctor", summary: "say whether this machine is ready, and what to type if not",
		example: "final doctor",
		do: func(args []string) (int, error) {
			if err := noArguments(args); err != nil {
				return 0, err
			}
			_, err := unix.IoctlGetTermios(1, unix.TCGETS)
			_, noColor := os.LookupEnv("NO_COLOR")
			if !doctor.Print(os.Stdout, doctor.Check(), max(60, columns()), err == nil && !noColor) {
				return 1, nil
			}
			return 0, nil
		},
	}
}

func completionCommand() command {
	return command{
		name: "completion", synopsis: "bash|zsh", summary: "print the shell completion, to be sourced",
		example: "source <(final completion bash)",
		do: func(args []string) (int, error) {
			shell, err := one(args, "shell, bash or zsh")
			if err != nil {
				return 0, err
			}
			switch shell {
			case "bash":
				fmt.Print(completion())
			case "zsh":
				fmt.Print("autoload -U +X bashcompinit && bashcompinit\n" + completion())
			default:
				return 0, usage("there is a completion for bash and zsh, not for %q", shell)
			}
			return 0, nil
		},
	}
}

// completion is made from the commands and their flags, as they are.
func completion() string {
	var names, cases []string
	for _, c := range commands() {
		names = append(names, c.name)
		f, _ := c.flags()
		var flags []string
		f.VisitAll(func(one *flag.Flag) { flags = append(flags, "-"+one.Name) })
		containers := ""
		if strings.Contains(c.synopsis, "CONTAINER") {
			containers = " $(final ps -a -no-trunc 2>/dev/null | awk 'NR > 1 { print $2 }')"
		}
		cases = append(cases, fmt.Sprintf("\t%s) words=\"%s%s\" ;;\n", c.name, strings.Join(flags, " "), containers))
	}
	return `_final() {
	local words verb="${COMP_WORDS[1]}" current="${COMP_WORDS[COMP_CWORD]}"
	if [ "$COMP_CWORD" -eq 1 ]; then
		COMPREPLY=($(compgen -W "` + strings.Join(names, " ") + ` help" -- "$current"))
		return
	fi
	case "$verb" in
` + strings.Join(cases, "") + `	*) words="" ;;
	esac
	COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _final final
`
}
