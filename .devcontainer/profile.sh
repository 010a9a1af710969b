# What a shell of the workshop starts with, in the Docker image, in the dev
# container and in the Vagrant VM: /etc/profile.d/gonsrun.sh there.

# Namespaces, mounts and cgroups are root's. So an ordinary user's  go run  and
# go test  start what they have built through sudo.
if [ "$(id -u)" != 0 ]; then
	export GOFLAGS=-exec=sudo
fi

# The rest is for the first shell on a terminal.
if [ -t 0 ] && [ -t 1 ] && [ "${SHLVL:-1}" = 1 ]; then
	if [ "$PWD" = "$HOME" ]; then
		cd /workshop || true
	fi
	cat <<'GREETING'

  This is GoNsRun, a workshop: seven small programs, from "run a command" to a
  container runtime. Type this first, and watch a container being built:

      go run ./step03-pid run /bin/sh

  Then look at it from the host's side: tmux, and Ctrl-b " for a second terminal.

      go test ./step03-pid               does the lesson keep its promises?
      go run ./final run /bin/sh         the complete runtime
      less docs/README.md                the book

GREETING
	# What was mounted with -v is not always the project, and not always there.
	if [ ! -e /workshop/go.mod ]; then
		echo '  But /workshop is not the project: leave, and go into the folder that you cloned.'
		echo
	elif { [ -e /.dockerenv ] || [ -e /run/.containerenv ]; } && ! mountpoint -q /workshop; then
		echo '  What you write in here ends with this container. To keep it, leave, and start so:'
		echo
		# shellcheck disable=SC2016 # to be typed
		echo '      docker run --rm -it --privileged -v "${PWD}:/workshop" gonsrun'
		echo
	fi
fi
