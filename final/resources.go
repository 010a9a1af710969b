//go:build linux

package main

import (
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"gonsrun/final/internal/cgroup"
	"gonsrun/internal/proc"
)

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
