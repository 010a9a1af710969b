//go:build linux

package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"gonsrun/final/internal/netlink"
	"gonsrun/internal/lessontest"
)

// Bad input is answered with a sentence that names the thing and with exit
// status 125, and nothing is made.
func TestBadInput(t *testing.T) {
	asRoot(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	long := strings.Repeat("n", 300)
	noProc := t.TempDir()
	if output, err := exec.Command("cp", "-a", lessontest.DefaultRoot(t)+"/.", noProc).CombinedOutput(); err != nil {
		t.Fatalf("cp: %v\n%s", err, output)
	}
	os.Remove(noProc + "/proc")

	for i, bad := range []struct {
		flags string // separated by blanks
		says  []string
	}{
		{"-nosuchflag", []string{"-nosuchflag"}},
		{"-memory 1k", []string{"-memory 1k", "MiB"}},
		{"-memory banana", []string{"-memory banana", "bytes"}},
		{"-memory -1", []string{"-memory -1"}},
		{"-memory 99999999999999999999g", []string{"-memory 99999999999999999999g"}},
		{"-memory-swap 64m", []string{"-memory-swap 64m", "-memory"}},
		{"-memory 64m -memory-swap 32m", []string{"-memory-swap 32m"}},
		{"-cpus 0", []string{"-cpus 0"}},
		{"-cpus -1", []string{"-cpus -1"}},
		{"-cpus NaN", []string{"-cpus NaN"}},
		{"-cpus 100000", []string{"-cpus 100000"}},
		{"-cpuset-cpus zero", []string{"-cpuset-cpus zero"}},
		{"-cpuset-cpus 9999", []string{"-cpuset-cpus 9999", "no CPU"}},
		{"-cpuset-cpus ,", []string{"-cpuset-cpus ,"}},
		{"-cpuset-cpus 1-0", []string{"-cpuset-cpus 1-0"}},
		{"-pids-limit -1", []string{"-pids-limit -1"}},
		{"-pids-limit 99999999999", []string{"-pids-limit 99999999999"}},
		{"-pids-limit many", []string{"pids-limit", "many"}},
		{"-v /etc", []string{"-v /etc", "SRC:DST"}},
		{"-v /etc/../etc:/x", []string{"-v /etc/../etc:/x", ".."}},
		{"-v /etc:/x/../y", []string{"-v /etc:/x/../y", ".."}},
		{"-v /no/such/source:/x", []string{"/no/such/source"}},
		{"-v etc:/x", []string{`"etc"`, "absolute"}},
		{"-v /etc:x", []string{`"x"`, "absolute"}},
		{"-v /etc:/", []string{"-v /etc:/", "root"}},
		{"-v /etc:/dev/", []string{"-v /etc:/dev/", "/dev of its own"}},
		{"-v /etc:/x:rx", []string{"-v /etc:/x:rx"}},
		{"-tmpfs x", []string{"-tmpfs x", "absolute"}},
		{"-tmpfs /dev", []string{"-tmpfs /dev"}},
		{"-tmpfs /x/../y", []string{"-tmpfs /x/../y", ".."}},
		{"-p 127.0.0.1:" + port + ":80", []string{port, "in use"}},
		{"-p banana", []string{"-p banana"}},
		{"-p 80:99999", []string{"-p 80:99999"}},
		{"-p 8080:80/icmp", []string{"icmp"}},
		{"-p 8080:80 -network none", []string{"-p 8080:80", "-network none"}},
		{"-network bridge -without net", []string{"-without net"}},
		{"-keep -userns", []string{"-keep -userns"}},
		{"-network moon", []string{"-network moon", "bridge"}},
		{"-user nosuchuser", []string{"-user nosuchuser", "/etc/passwd"}},
		{"-user 0:nosuchgroup", []string{"-user 0:nosuchgroup"}},
		{"-user 99999999999", []string{"-user 99999999999"}},
		{"-cap-add CAP_NOTHING", []string{"CAP_NOTHING"}},
		{"-cap-drop NOTHING", []string{"NOTHING"}},
		{"-security-opt apparmor=x", []string{"apparmor=x"}},
		{"-without nothing", []string{"-without nothing", "seccomp"}},
		{"-without limits -memory 64m", []string{"-without limits"}},
		{"-hostname " + long, []string{"-hostname", "300"}},
		{"-name " + long, []string{"-name", "300"}},
		{"-name a/b", []string{"-name", "a/b"}},
		{"-name ../x", []string{"-name", "../x"}},
		{"-hostname a\nb", []string{"-hostname"}},
		{"-e =value", []string{"=value"}},
		{"-env-file /no/such/file", []string{"/no/such/file"}},
		{"-w tmp", []string{"-w tmp", "absolute"}},
		{"-w /no/such/folder", []string{"/no/such/folder"}},
		{"-rootfs " + noProc, []string{noProc, "proc"}},
	} {
		if i%lessontest.Sized(1, 3) != 0 { // with -test.short every third
			continue
		}
		t.Run(bad.flags[:min(len(bad.flags), 40)], func(t *testing.T) {
			nothingLeft(t)
			args := append([]string{"run"}, append(strings.Split(bad.flags, " "), "true")...)
			lesson.Type(t, args...).Prints("").Says(bad.says...).Exits(125)
			lesson.Type(t, "ps", "-a").PrintsMatch(`^ID[^\n]*\n$`)
		})
	}
}

// A destination that the image has no room for is named, too.
func TestBadDestination(t *testing.T) {
	asRoot(t)
	lesson.Type(t, "run", "-network", "none", "-v", "/etc:/etc/hostname/x", "true").Prints("").Says("mount point /etc/hostname").Exits(125)
	lesson.Type(t, "run", "-network", "none", "-v", "/etc/passwd:/tmp", "true").Prints("").Says("/tmp").Exits(125)
}

// Arguments and environment of any bytes reach the command as they are.
func TestBytes(t *testing.T) {
	everyone(t, func(t *testing.T, who lessontest.Lesson) {
		odd := "a\xff\xfe\\x80 \x01\n\"\xc3\xbc\\"
		for _, verb := range [][]string{{"run"}, {"exec", ""}} {
			if verb[0] == "exec" {
				verb[1] = detached(t, who, "sleep", "1000")
			}
			flags := append([]string{"-quiet", verb[0], "-e", "ODD=" + odd}, verb[1:]...)
			who.Type(t, append(flags, "printf", "%s", odd)...).Prints(odd).Exits(0)
			who.Type(t, append(flags, "sh", "-c", `printf %s "$ODD"`)...).Prints(odd).Exits(0)
		}
		narrated := who.Type(t, "-json", "run", "printf", "%s", odd)
		narrated.Prints(odd).Narrated()
		who.Type(t, "run", odd).Exits(127).Prints("")
	})
}

// -e and -env-file give variables, and nothing else of the caller's is there.
func TestEnvironment(t *testing.T) {
	asRoot(t)
	file := filepath.Join(t.TempDir(), "variables")
	os.WriteFile(file, []byte("# a comment\nONE=1\nTWO=two words\nPASSED\n\n"), 0o644)
	t.Setenv("PASSED", "on")
	t.Setenv("SECRET", "of the host")
	run := lesson.Type(t, "-quiet", "run", "-env-file", file, "-e", "ONE=first", "-e", "NOTHERE", "env").Exits(0)
	for _, want := range []string{"ONE=first\n", "TWO=two words\n", "PASSED=on\n", "HOME=/root\n", "HOSTNAME=container\n"} {
		if !strings.Contains(run.Stdout, want) {
			t.Errorf("the environment has no %q:\n%s", want, run.Stdout)
		}
	}
	for _, unwanted := range []string{"SECRET", "NOTHERE", "ONE=1", "LESSONTEST"} {
		if strings.Contains(run.Stdout, unwanted) {
			t.Errorf("the environment has %q:\n%s", unwanted, run.Stdout)
		}
	}
}

// Volumes are what they are on the host, and read-only when that was said.
func TestVolumes(t *testing.T) {
	asRoot(t)
	folder, file := t.TempDir(), filepath.Join(t.TempDir(), "file")
	os.WriteFile(file, []byte("of the host\n"), 0o644)
	lesson.Type(t, "-quiet", "run", "-network", "none", "-v", folder+":/a/b", "-v", file+":/a/file:ro", "-tmpfs", "/scratch:size=1m,mode=700", "sh", "-c",
		"echo written >/a/b/new; cat /a/file; echo no 2>&- >/a/file || echo refused; stat -c %a /scratch; dd if=/dev/zero of=/scratch/x bs=1M count=2 2>&- || echo full").
		PrintsMatch("^of the host\nrefused\n700\nfull\n$").Exits(0)
	if text, _ := os.ReadFile(folder + "/new"); string(text) != "written\n" {
		t.Errorf("what the container wrote to a volume is %q on the host", text)
	}
}

// A kernel without bridges is not the reader's fault: the error says what to type.
func TestNoBridgeInTheKernel(t *testing.T) {
	text := explainLink(&netlink.Error{Op: "make bridge", Arg: bridge, Errno: unix.EOPNOTSUPP}).Error()
	for _, want := range []string{"make bridge " + bridge, "ENOTSUP", "modprobe", "-network none"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q does not contain %q", text, want)
		}
	}
	if err := explainLink(unix.EPERM); err != unix.EPERM {
		t.Errorf("another error became %q", err)
	}
}
