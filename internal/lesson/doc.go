// Package lesson has what every lesson needs and none is about: flags and usage
// (args_linux.go), exit statuses and what is said of an error (must_linux.go),
// the container's process (container_linux.go), signals (signals_linux.go) and
// the terminal (terminal_linux.go).
//
// The host's side and the container's side of a lesson are one program in two
// processes. What differs between them is here in one place: the first argument
// is "run" or "child", see Args.
package lesson
