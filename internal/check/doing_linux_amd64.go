package check

import "golang.org/x/sys/unix"

// olderWaits are calls that newer processors do not have.
var olderWaits = map[uint64]wait{
	unix.SYS_POLL:       {"poll", forData},
	unix.SYS_SELECT:     {"select", forData},
	unix.SYS_EPOLL_WAIT: {"epoll_wait", forData},
	unix.SYS_PAUSE:      {"pause", forSignal},
	unix.SYS_OPEN:       {"open", "it waits for the other end of a pipe that it opens"},
}
