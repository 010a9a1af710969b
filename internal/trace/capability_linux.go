package trace

import "strings"

// Capabilities are the sets of capabilities that a capset(2) asks for. Bit n of a
// set is the capability CapabilityName(n).
type Capabilities struct {
	Effective, Permitted, Inheritable uint64
}

// CapabilityName is a capability's name: CAP_SYS_ADMIN for 21. One that has no
// name yet is a number.
func CapabilityName(n int) string {
	if n >= 0 && n < len(capabilityNames) {
		return "CAP_" + capabilityNames[n]
	}
	return hex(uint64(n))
}

// capabilityNames stand at their numbers, see linux/capability.h.
var capabilityNames = [...]string{
	"CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID",
	"SETPCAP", "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER",
	"SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE",
	"SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP",
	"MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF",
	"CHECKPOINT_RESTORE",
}

// capabilitySet prints a set as strace does: a name stands for its number, and the
// bits without a name, which are all in the upper half, are a number of that half.
func capabilitySet(set uint64) string {
	var names []string
	for n := range 64 {
		if set&(1<<n) != 0 && n < len(capabilityNames) {
			names = append(names, "1<<"+CapabilityName(n))
			set &^= 1 << n
		}
	}
	if set != 0 || len(names) == 0 {
		names = append(names, hex(set>>32))
	}
	return strings.Join(names, "|")
}
