package check

import (
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"gonsrun/internal/enclosure"
)

// start starts the program, in a session of its own as a terminal's is, and in the
// cgroups of the enclosure. Until letGo it waits: a shell does, and then becomes the
// program.
func start(program string, args []string, files []*os.File) (pid int, letGo func() error, err error) {
	gateRead, gateWrite, err := os.Pipe()
	if err != nil {
		return 0, nil, err
	}
	defer gateRead.Close()
	const script = `read line <&3; exec "$0" "$@" 3<&-`
	started, err := os.StartProcess("/bin/sh", append([]string{"sh", "-c", script, program}, args...), &os.ProcAttr{
		Dir: workFolder(), Env: os.Environ(), Files: append(files, gateRead), Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		gateWrite.Close()
		return 0, nil, err
	}
	pid = started.Pid
	started.Release()
	for _, tree := range enclosure.Trees() {
		group := tree.Dir
		if tree.V1 == "" {
			group = filepath.Join(group, enclosure.GroupFirst)
		}
		// Where the enclosure has no group of its own in a tree, that cannot be written.
		os.WriteFile(group+"/cgroup.procs", []byte(strconv.Itoa(pid)), 0)
	}
	return pid, func() error {
		defer gateWrite.Close()
		_, err := gateWrite.WriteString("go\n")
		return err
	}, nil
}

// workFolder is where the program is started: a folder that is no root.
func workFolder() string {
	dir, err := os.Getwd()
	if err != nil {
		return "/"
	}
	return dir
}
