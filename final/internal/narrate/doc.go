// Package narrate tells what a program does while it does it: which system
// call, with which arguments, why, and what the kernel answered.
//
// A narrated call is one thing said three ways in one place: why it is made,
// what the kernel sees (written as strace(1) prints it, where … stands for
// what was left out), and the Go code that makes it:
//
//	err := narrate.Try("the new UTS namespace has its own hostname: the host keeps its own",
//		`sethostname("container", 9)`,
//		func() error { return unix.Sethostname([]byte("container")) })
//
// The why and the call are printed before the call is made, the answer after
// it. Everything goes to stderr: stdin and stdout belong to the command that
// runs in the container.
//
// Two processes speak, the host's side and the container's side. They take
// turns over a socket (turn_linux.go), so that the text has the same order at every
// run. What the narrator shows as evidence is read from the kernel when it is
// shown (evidence_linux.go, board_linux.go).
package narrate
