package trace

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"
)

// readBPF reads what bpf(2) is asked for where containers need it: a program that is
// loaded, and hung at a cgroup.
func (c *Call) readBPF(v [6]uint64) []string {
	command, attributes := half(v[0]), c.bpfAttributes(v[1], half(v[2]))
	text := nullOr(v[1], left)
	switch {
	case attributes == nil:
	case command == unix.BPF_PROG_LOAD:
		text = c.bpfLoad(attributes, half(v[2]))
	case command == unix.BPF_PROG_ATTACH:
		text = c.bpfAttach(attributes, v[1], half(v[2]))
	case command == unix.BPF_PROG_DETACH:
		c.bpfTarget(attributes, attributes[8:])
		const known = 12
		text = fmt.Sprintf("{target_fd=%s, attach_type=%s%s}", c.descriptor(field(attributes, 0)), c.Kind, c.more(v[1], known, half(v[2])))
	case command == unix.BPF_PROG_QUERY:
		c.bpfTarget(attributes, attributes[4:])
		text = fmt.Sprintf("{query={target_fd=%s, attach_type=%s, …}}", c.descriptor(field(attributes, 0)), c.Kind)
	}
	return []string{bpfCommands.choice(command), text, unsigned(v[2])}
}

// bpfKnown is as much of union bpf_attr as is looked at.
const bpfKnown = 32

// bpfAttributes reads union bpf_attr. What a program does not give is zero; the kernel
// takes a page at most.
func (c *Call) bpfAttributes(address, length uint64) []byte {
	const most = 4096
	if length == 0 || length > most {
		return nil
	}
	given, err := c.memory().Bytes(address, min(length, bpfKnown))
	if err != nil {
		return nil
	}
	return append(given, make([]byte, bpfKnown-len(given))...)
}

// field is the 32-bit number at an offset.
func field(b []byte, at int) uint64 { return uint64(binary.NativeEndian.Uint32(b[at:])) }

func (c *Call) bpfLoad(b []byte, length uint64) string {
	c.Kind, c.Length = bpfPrograms.choice(field(b, 0)), int(field(b, 4))
	text := fmt.Sprintf("{prog_type=%s, insn_cnt=%d, insns=%s, license=%s", c.Kind, c.Length,
		nullOr(binary.NativeEndian.Uint64(b[8:]), left), c.string(binary.NativeEndian.Uint64(b[16:])))
	const logLevel = 24
	if length > logLevel {
		text += ", " + left
	}
	return text + "}"
}

func (c *Call) bpfAttach(b []byte, address, length uint64) string {
	c.bpfTarget(b, b[8:])
	text := fmt.Sprintf("{target_fd=%s, attach_bpf_fd=%s, attach_type=%s, attach_flags=%s", c.descriptor(field(b, 0)),
		c.descriptor(field(b, 4)), c.Kind, flags(field(b, 12), bpfAttachFlags))
	const replaces, known = 16, 20
	if length > replaces {
		text += ", replace_bpf_fd=" + c.descriptor(field(b, replaces))
	}
	return text + c.more(address, known, length) + "}"
}

// bpfTarget says where a program hangs, and as what.
func (c *Call) bpfTarget(target, as []byte) {
	c.Path, _ = c.file(field(target, 0))
	c.Kind = bpfAttachments.choice(field(as, 0))
}

var bpfAttachFlags = []flag{{1, "BPF_F_ALLOW_OVERRIDE"}, {2, "BPF_F_ALLOW_MULTI"}, {4, "BPF_F_REPLACE"}}

var bpfCommands = numbered{"BPF_", `
	MAP_CREATE MAP_LOOKUP_ELEM MAP_UPDATE_ELEM MAP_DELETE_ELEM MAP_GET_NEXT_KEY PROG_LOAD OBJ_PIN
	OBJ_GET PROG_ATTACH PROG_DETACH PROG_TEST_RUN PROG_GET_NEXT_ID MAP_GET_NEXT_ID
	PROG_GET_FD_BY_ID MAP_GET_FD_BY_ID OBJ_GET_INFO_BY_FD PROG_QUERY RAW_TRACEPOINT_OPEN BTF_LOAD
	BTF_GET_FD_BY_ID TASK_FD_QUERY MAP_LOOKUP_AND_DELETE_ELEM MAP_FREEZE BTF_GET_NEXT_ID
	MAP_LOOKUP_BATCH MAP_LOOKUP_AND_DELETE_BATCH MAP_UPDATE_BATCH MAP_DELETE_BATCH LINK_CREATE
	LINK_UPDATE LINK_GET_FD_BY_ID LINK_GET_NEXT_ID ENABLE_STATS ITER_CREATE LINK_DETACH
	PROG_BIND_MAP`}

var bpfPrograms = numbered{"BPF_PROG_TYPE_", `
	UNSPEC SOCKET_FILTER KPROBE SCHED_CLS SCHED_ACT TRACEPOINT XDP PERF_EVENT CGROUP_SKB
	CGROUP_SOCK LWT_IN LWT_OUT LWT_XMIT SOCK_OPS SK_SKB CGROUP_DEVICE SK_MSG RAW_TRACEPOINT
	CGROUP_SOCK_ADDR LWT_SEG6LOCAL LIRC_MODE2 SK_REUSEPORT FLOW_DISSECTOR CGROUP_SYSCTL
	RAW_TRACEPOINT_WRITABLE CGROUP_SOCKOPT TRACING STRUCT_OPS EXT LSM SK_LOOKUP SYSCALL`}

var bpfAttachments = numbered{"BPF_", `
	CGROUP_INET_INGRESS CGROUP_INET_EGRESS CGROUP_INET_SOCK_CREATE CGROUP_SOCK_OPS
	SK_SKB_STREAM_PARSER SK_SKB_STREAM_VERDICT CGROUP_DEVICE SK_MSG_VERDICT CGROUP_INET4_BIND
	CGROUP_INET6_BIND CGROUP_INET4_CONNECT CGROUP_INET6_CONNECT CGROUP_INET4_POST_BIND
	CGROUP_INET6_POST_BIND CGROUP_UDP4_SENDMSG CGROUP_UDP6_SENDMSG LIRC_MODE2 FLOW_DISSECTOR
	CGROUP_SYSCTL CGROUP_UDP4_RECVMSG CGROUP_UDP6_RECVMSG CGROUP_GETSOCKOPT CGROUP_SETSOCKOPT
	TRACE_RAW_TP TRACE_FENTRY TRACE_FEXIT MODIFY_RETURN LSM_MAC TRACE_ITER CGROUP_INET4_GETPEERNAME
	CGROUP_INET6_GETPEERNAME CGROUP_INET4_GETSOCKNAME CGROUP_INET6_GETSOCKNAME XDP_DEVMAP
	CGROUP_INET_SOCK_RELEASE XDP_CPUMAP SK_LOOKUP XDP SK_SKB_VERDICT SK_REUSEPORT_SELECT
	SK_REUSEPORT_SELECT_OR_MIGRATE PERF_EVENT TRACE_KPROBE_MULTI LSM_CGROUP`}
