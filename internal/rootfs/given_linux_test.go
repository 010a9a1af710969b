package rootfs

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestGiven(t *testing.T) {
	base, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	shell(t, base, "mkdir full empty; > full/file; > file; ln -s full link; ln -s nowhere broken; ln -s loop loop")
	t.Chdir(base)
	for _, c := range []struct{ dir, root, problem string }{
		{"full", "/full", ""},
		{"./full/../full/", "/full", ""},
		{"link", "/full", ""},
		{"empty", "", "this folder is empty"},
		{base + "/full", "/full", ""},
		{"missing", "", "there is no such folder"},
		{"broken", "", "there is no such folder"},
		{"file/below", "", "there is no such folder"},
		{"file", "", "this is a file"},
		{"loop", "", "too many levels of symbolic links"},
	} {
		root, note, err := Prepare(c.dir)
		if c.problem == "" {
			if err != nil || root != base+c.root || note != "" {
				t.Errorf("Prepare(%q) = %q, %q, %v; want %q", c.dir, root, note, err, base+c.root)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), "-rootfs "+c.dir+": ") || !strings.Contains(err.Error(), c.problem) ||
			!strings.Contains(err.Error(), "\nLeave -rootfs out") || !strings.Contains(err.Error(), "debootstrap") {
			t.Errorf("Prepare(%q): %v; want %q and what to type", c.dir, err, c.problem)
		}
	}
	for dir, want := range map[string]bool{"empty": true, "full": false, "file": false, "missing": false} {
		if Empty(dir) != want {
			t.Errorf("Empty(%q) = %v", dir, !want)
		}
	}
}

func TestGivenUnreadable(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root can read everything")
	}
	base := t.TempDir()
	shell(t, base, "mkdir -p locked/inner && chmod 000 locked")
	defer shell(t, base, "chmod 700 locked")
	for _, dir := range []string{base + "/locked", base + "/locked/inner"} {
		if _, _, err := Prepare(dir); err == nil || !strings.Contains(err.Error(), "cannot be read by user "+strconv.Itoa(os.Geteuid())) {
			t.Errorf("Prepare(%q): %v", dir, err)
		}
	}
}

// TestCacheFolder has two users: ours, and one whose folders are not ours.
func TestCacheFolder(t *testing.T) {
	ours, theirs := t.TempDir(), t.TempDir()
	us, them := os.Geteuid(), 12345
	if us == 0 {
		if err := os.Chown(theirs, them, -1); err != nil {
			t.Fatal(err)
		}
	} else {
		theirs, them = "/", 0
	}
	passwd := filepath.Join(t.TempDir(), "passwd")
	inPasswd := t.TempDir()
	text := "# comment\n\n" + "other:x:54321:1::/nowhere:\n" + "us:x:" + strconv.Itoa(us) + ":0:gecos:" + inPasswd + ":/bin/sh\n"
	if err := os.WriteFile(passwd, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	home := ours + "/.cache"
	if us == 0 {
		home = inPasswd + "/.cache" // root's own home goes before $HOME
	}
	for name, c := range map[string]struct{ xdg, home, want string }{
		"home":                      {"", ours, home},
		"XDG":                       {ours + "/xdg/deep", ours, ours + "/xdg/deep"},
		"relative XDG":              {"xdg", ours, home},
		"no HOME":                   {"", "", inPasswd + "/.cache"},
		"sudo: their HOME":          {"", theirs, inPasswd + "/.cache"},
		"sudo: their HOME and XDG":  {filepath.Join(theirs, ".cache"), theirs, inPasswd + "/.cache"},
		"sudo: their XDG, our HOME": {filepath.Join(theirs, ".cache"), ours, home},
		"XDG is a file":             {passwd, ours, home},
	} {
		getenv := func(key string) string { return map[string]string{"XDG_CACHE_HOME": c.xdg, "HOME": c.home}[key] }
		if got, err := cacheFolder(us, getenv, passwd); got != c.want || err != nil {
			t.Errorf("%s: %q, %v; want %q", name, got, err, c.want)
		}
	}
	nothing := func(string) string { return "" }
	if got, err := cacheFolder(0, nothing, "/nonexistent"); got != "/var/cache" || err != nil {
		t.Errorf("root without a home: %q, %v", got, err)
	}
	if got, err := cacheFolder(54321, nothing, "/nonexistent"); err == nil || !strings.Contains(err.Error(), "XDG_CACHE_HOME=DIR") {
		t.Errorf("without any folder: %q, %v; want what to type", got, err)
	}
}

// TestNotTheCallersCache goes the whole way that root goes under sudo.
func TestNotTheCallersCache(t *testing.T) {
	needRoot(t)
	caller := t.TempDir()
	shell(t, caller, "mkdir .cache && chown -R 12345:12345 .")
	t.Setenv("HOME", caller)
	t.Setenv("XDG_CACHE_HOME", caller+"/.cache")
	root, _, err := Prepare("")
	t.Cleanup(release)
	if err != nil {
		t.Fatal(err)
	}
	if want := homeOf(0, "/etc/passwd") + "/.cache/gonsrun/rootfs"; root != want {
		t.Errorf("Prepare = %q, want %q", root, want)
	}
	wantOnly(t, caller, ".cache")
	wantOnly(t, caller+"/.cache")
}

func TestFolderOfAnother(t *testing.T) {
	folder := "/"
	if os.Geteuid() == 0 {
		folder = t.TempDir()
		if err := os.Chown(folder, 12345, -1); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := prepare(folder, systemSearch()); err == nil || !strings.Contains(err.Error(), "is not a folder of user") {
		t.Errorf("a folder that somebody else owns: %v", err)
	}
}

func TestParseList(t *testing.T) {
	for name, c := range map[string]struct {
		output string
		want   []string
	}{
		"glibc": {"\tlinux-vdso.so.1 (0x00007ffd)\n\tlibtinfo.so.6 => /lib/x86_64-linux-gnu/libtinfo.so.6 (0x00007f3a)\n" +
			"\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f3b)\n\t/lib64/ld-linux-x86-64.so.2 (0x00007f3c)\n",
			[]string{"/lib/x86_64-linux-gnu/libtinfo.so.6", "/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2"}},
		"glibc arm64": {"\tlinux-vdso.so.1 (0x0000ffff)\n\tlibc.so.6 => /lib/aarch64-linux-gnu/libc.so.6 (0x0000fffe)\n\t/lib/ld-linux-aarch64.so.1 (0x0000fffd)\n",
			[]string{"/lib/aarch64-linux-gnu/libc.so.6", "/lib/ld-linux-aarch64.so.1"}},
		"loader moved": {"\t/lib64/ld-linux-x86-64.so.2 => /usr/lib64/ld-linux-x86-64.so.2 (0x00007f3c)\n",
			[]string{"/usr/lib64/ld-linux-x86-64.so.2"}},
		"musl": {"\t/lib/ld-musl-x86_64.so.1 (0x7f4d)\n\tlibreadline.so.8 => /usr/lib/libreadline.so.8 (0x7f4c)\n\tlibc.musl-x86_64.so.1 => /lib/ld-musl-x86_64.so.1 (0x7f4d)\n",
			[]string{"/lib/ld-musl-x86_64.so.1", "/usr/lib/libreadline.so.8", "/lib/ld-musl-x86_64.so.1"}},
		"odd names": {"\tliba b.so => /opt/x/../a (1)/liba b.so (0x7f4d)\n", []string{"/opt/a (1)/liba b.so"}},
		"static":    {"\tstatically linked\n", nil},
	} {
		if got, err := parseList(c.output); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, %v; want %q", name, got, err, c.want)
		}
	}
	if _, err := parseList("\tlibgone.so.1 => not found\n"); err == nil || !strings.Contains(err.Error(), "libgone.so.1") {
		t.Errorf("a missing library: %v", err)
	}
}

func TestMountPoints(t *testing.T) {
	const mountinfo = `22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
23 22 0:21 / /mnt/with\040space\134 rw - proc proc rw
`
	if got, want := mountPoints(mountinfo), []string{`/mnt/with space\`, "/"}; !slices.Equal(got, want) {
		t.Errorf("mount points %q, want %q", got, want)
	}
	if err := unmounted("/proc"); err == nil || !strings.Contains(err.Error(), "sudo umount '/proc") {
		t.Errorf("/proc counts as unmounted: %v", err)
	}
	if err := unmounted(t.TempDir()); err != nil {
		t.Error(err)
	}
}

func TestSearchPath(t *testing.T) {
	dir := t.TempDir()
	shell(t, dir, "mkdir a; ln -s a b")
	got := searchPath("relative::" + dir + "/a:" + dir + "/b:/bin:" + dir + "/none")
	if want := append(searchPath(""), dir+"/a"); !slices.Equal(got, want) {
		t.Errorf("search path %q, want %q", got, want)
	}
	if unix.Access(got[0]+"/sh", unix.X_OK) != nil {
		t.Errorf("no sh in %s", got[0])
	}
}
