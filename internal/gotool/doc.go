// Package gotool runs the go tool that started this program, also when that was
// through sudo: as the user who called, so that no file of root's gets into that
// user's caches.
package gotool
