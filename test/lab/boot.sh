# PID 1 of a lab host: makes the host's view of the file system, says so on its standard output, and lives until its standard
# input ends, which it does when the test that owns the lab is gone.
# Environment: LAB_DIR (folder of this host, survives a reboot), LAB_NAME, LAB_HOSTS (lines for /etc/hosts), LAB_DNS,
# LAB_CGROUPS (one line for each hierarchy: mount point, type, options), LAB_SCRIPTS (folder with the host's commands).
set -eu
read -r pid _ </proc/self/stat # still the outer /proc: the pid by which the world knows this process
echo "pid $pid"

mount --make-rprivate /
# What other programs of the machine mounted there must neither be seen nor be held. A mount whose folder is removed meanwhile goes
# by itself.
awk '{ print $5 }' /proc/self/mountinfo | tac | grep -E '^/(run|sys|var/lib|var/log)(/|$)' | while read -r point; do
  umount -l "$point" || ! grep -qF " $point " /proc/self/mountinfo
done
# Machines with systemd share their mounts.
mount --make-rshared /

mount -t proc proc /proc
mount -t sysfs sysfs /sys
[ ! -d /sys/fs/bpf ] || mount -t bpf bpf /sys/fs/bpf || true
case "$LAB_CGROUPS" in
'/sys/fs/cgroup cgroup2'*) ;;
*) mount -t tmpfs -o mode=755 cgroup /sys/fs/cgroup ;;
esac
printf '%s\n' "$LAB_CGROUPS" | while read -r point type options; do
  mkdir -p "$point"
  mount -t "$type" -o "$options" cgroup "$point"
  case "${point##*/}" in
  *,*) for part in $(basename "$point" | tr ',' ' '); do ln -s "$(basename "$point")" "/sys/fs/cgroup/$part"; done ;;
  esac
  # Where a group with processes can't hand controllers down, the host's own processes live in a group below.
  if [ "$point" = /sys/fs/cgroup ]; then
    for controller in $(cat "$point/cgroup.controllers"); do echo "+$controller" >"$point/cgroup.subtree_control"; done
  fi
done

mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
mkdir -p /run/lock "$LAB_DIR/lib" "$LAB_DIR/log" "$LAB_DIR/etc" "$LAB_DIR/etc.work"
mount -t overlay -o "lowerdir=/etc,upperdir=$LAB_DIR/etc,workdir=$LAB_DIR/etc.work" overlay /etc
mount --bind "$LAB_DIR/lib" /var/lib
mount --bind "$LAB_DIR/log" /var/log
if [ ! -e "$LAB_DIR/installed" ]; then
  rm -rf /etc/docker /etc/resolv.conf /etc/hosts /etc/hostname /etc/machine-id
  mkdir -p /etc/docker /var/lib/home
  echo "nameserver $LAB_DNS" >/etc/resolv.conf
  printf '%s\n' '127.0.0.1 localhost' "$LAB_HOSTS" >/etc/hosts
  echo "$LAB_NAME" >/etc/hostname
  tr -d - </proc/sys/kernel/random/uuid >/etc/machine-id
  touch "$LAB_DIR/installed"
fi
mkdir -p /run/lab
ln -s "$LAB_SCRIPTS" /run/lab/bin
# As on a machine that has just been set up: Docker switches forwarding on, and its FORWARD chain to DROP.
echo 0 >/proc/sys/net/ipv4/ip_forward
hostname "$(cat /etc/hostname)"
echo ready
# A parent that ignores SIGCHLD leaves no zombies, and `cat` lives until its input ends.
exec env --ignore-signal=CHLD cat >/dev/null
