package trace

import (
	"strconv"

	"golang.org/x/sys/unix"
)

// keyctlArguments are what follows an operation of keyctl(2) on whole keyrings. Of
// the others, which are for single keys, the rest is left out.
func keyctlArguments(operation uint64) []argument {
	switch operation {
	case unix.KEYCTL_GET_KEYRING_ID:
		return []argument{keyArgument, signedHalfArgument}
	case unix.KEYCTL_JOIN_SESSION_KEYRING:
		return []argument{valueArgument}
	case unix.KEYCTL_REVOKE, unix.KEYCTL_CLEAR, unix.KEYCTL_INVALIDATE, unix.KEYCTL_ASSUME_AUTHORITY:
		return []argument{keyArgument}
	case unix.KEYCTL_LINK, unix.KEYCTL_UNLINK:
		return []argument{keyArgument, keyArgument}
	case unix.KEYCTL_CHOWN:
		return []argument{keyArgument, idArgument, idArgument}
	case unix.KEYCTL_SETPERM:
		return []argument{keyArgument, lowerHalf(someOf(keyPermissions()))}
	case unix.KEYCTL_SET_TIMEOUT:
		return []argument{keyArgument, unsignedHalfArgument}
	case unix.KEYCTL_SESSION_TO_PARENT:
		return nil
	case unix.KEYCTL_GET_PERSISTENT:
		return []argument{idArgument, keyArgument}
	case unix.KEYCTL_SEARCH:
		return []argument{keyArgument, stringArgument, stringArgument, keyArgument}
	}
	if operation < unix.KEYCTL_WATCH_KEY {
		return []argument{leftArgument}
	}
	return numbers
}

func (c *Call) readKeyctl(v [6]uint64) []string {
	arguments := []string{choice(half(v[0]), keyctlOperations)}
	for i, print := range keyctlArguments(half(v[0])) {
		arguments = append(arguments, print(c, v[i+1]))
	}
	return arguments
}

// keyArgument is a key's number; small negative ones are keyrings of who asks.
func keyArgument(_ *Call, value uint64) string {
	key := int(int32(value))
	if key < 0 && -key < len(specialKeys) {
		return specialKeys[-key]
	}
	return strconv.Itoa(key)
}

var specialKeys = [...]string{
	-unix.KEY_SPEC_THREAD_KEYRING:       "KEY_SPEC_THREAD_KEYRING",
	-unix.KEY_SPEC_PROCESS_KEYRING:      "KEY_SPEC_PROCESS_KEYRING",
	-unix.KEY_SPEC_SESSION_KEYRING:      "KEY_SPEC_SESSION_KEYRING",
	-unix.KEY_SPEC_USER_KEYRING:         "KEY_SPEC_USER_KEYRING",
	-unix.KEY_SPEC_USER_SESSION_KEYRING: "KEY_SPEC_USER_SESSION_KEYRING",
	-unix.KEY_SPEC_GROUP_KEYRING:        "KEY_SPEC_GROUP_KEYRING",
	-unix.KEY_SPEC_REQKEY_AUTH_KEY:      "KEY_SPEC_REQKEY_AUTH_KEY",
	-unix.KEY_SPEC_REQUESTOR_KEYRING:    "KEY_SPEC_REQUESTOR_KEYRING",
}

var keyctlOperations = []constant{
	{unix.KEYCTL_GET_KEYRING_ID, "KEYCTL_GET_KEYRING_ID"},
	{unix.KEYCTL_JOIN_SESSION_KEYRING, "KEYCTL_JOIN_SESSION_KEYRING"},
	{unix.KEYCTL_UPDATE, "KEYCTL_UPDATE"},
	{unix.KEYCTL_REVOKE, "KEYCTL_REVOKE"},
	{unix.KEYCTL_CHOWN, "KEYCTL_CHOWN"},
	{unix.KEYCTL_SETPERM, "KEYCTL_SETPERM"},
	{unix.KEYCTL_DESCRIBE, "KEYCTL_DESCRIBE"},
	{unix.KEYCTL_CLEAR, "KEYCTL_CLEAR"},
	{unix.KEYCTL_LINK, "KEYCTL_LINK"},
	{unix.KEYCTL_UNLINK, "KEYCTL_UNLINK"},
	{unix.KEYCTL_SEARCH, "KEYCTL_SEARCH"},
	{unix.KEYCTL_READ, "KEYCTL_READ"},
	{unix.KEYCTL_INSTANTIATE, "KEYCTL_INSTANTIATE"},
	{unix.KEYCTL_NEGATE, "KEYCTL_NEGATE"},
	{unix.KEYCTL_SET_REQKEY_KEYRING, "KEYCTL_SET_REQKEY_KEYRING"},
	{unix.KEYCTL_SET_TIMEOUT, "KEYCTL_SET_TIMEOUT"},
	{unix.KEYCTL_ASSUME_AUTHORITY, "KEYCTL_ASSUME_AUTHORITY"},
	{unix.KEYCTL_GET_SECURITY, "KEYCTL_GET_SECURITY"},
	{unix.KEYCTL_SESSION_TO_PARENT, "KEYCTL_SESSION_TO_PARENT"},
	{unix.KEYCTL_REJECT, "KEYCTL_REJECT"},
	{unix.KEYCTL_INSTANTIATE_IOV, "KEYCTL_INSTANTIATE_IOV"},
	{unix.KEYCTL_INVALIDATE, "KEYCTL_INVALIDATE"},
	{unix.KEYCTL_GET_PERSISTENT, "KEYCTL_GET_PERSISTENT"},
	{unix.KEYCTL_DH_COMPUTE, "KEYCTL_DH_COMPUTE"},
	{unix.KEYCTL_PKEY_QUERY, "KEYCTL_PKEY_QUERY"},
	{unix.KEYCTL_PKEY_ENCRYPT, "KEYCTL_PKEY_ENCRYPT"},
	{unix.KEYCTL_PKEY_DECRYPT, "KEYCTL_PKEY_DECRYPT"},
	{unix.KEYCTL_PKEY_SIGN, "KEYCTL_PKEY_SIGN"},
	{unix.KEYCTL_PKEY_VERIFY, "KEYCTL_PKEY_VERIFY"},
	{unix.KEYCTL_RESTRICT_KEYRING, "KEYCTL_RESTRICT_KEYRING"},
	{unix.KEYCTL_MOVE, "KEYCTL_MOVE"},
	{unix.KEYCTL_CAPABILITIES, "KEYCTL_CAPABILITIES"},
	{unix.KEYCTL_WATCH_KEY, "KEYCTL_WATCH_KEY"},
}

// keyPermissions are those of the key's possessor, its user, its group and others.
func keyPermissions() (all []flag) {
	for _, who := range []flag{{1 << 24, "POS"}, {1 << 16, "USR"}, {1 << 8, "GRP"}, {1, "OTH"}} {
		for i, what := range []string{"VIEW", "READ", "WRITE", "SEARCH", "LINK", "SETATTR"} {
			all = append(all, flag{who.value << i, "KEY_" + who.name + "_" + what})
		}
	}
	return all
}
