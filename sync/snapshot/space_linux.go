package snapshot

import "os"

// ProcessSpace names what process ids of this process mean something in: this
// boot of this kernel, and the namespace. It is empty where that cannot be told.
func ProcessSpace() string {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	ns, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return ""
	}
	return string(boot[:min(36, len(boot))]) + " " + ns
}
