#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Runs in the root: one virtual machine with the stock kernel, whose root file system is the folder
# /.guest.
# usage: qemu.sh MODE MEMORY JOB-FOLDER [QEMU ARGUMENTS]
# WG_WIRE="ADDRESS on|off SOCKET": a network card with that address on a wire to another machine, of
# which one ("on") makes the socket. Without it there is no card.
# WG_CARDS=MODEL: two network cards of that model with a wire of their own.
# WG_UEFI=FOLDER of the guest: the machine has firmware, and boots under Secure Boot if its
# variables say so. FOLDER has code.fd, vars.fd, and the shim and GRUB that start the kernel:
# shim.efi, grub.efi.
# WG_ACCEL: QEMU's accelerator for the modes in real time, "kvm" where that works; default:
# emulation.
# WG_MONITOR=SOCKET: QEMU's monitor for programs.
# WG_PLUGIN: what QEMU's option -plugin takes.

. "$(dirname "$0")/../lib.sh"

mode=$1
memory=$2
job=$3
shift 3
socket=/run/virtiofsd.sock

# What differs between processors: program, machine, CPU, console, and words for the kernel.
# Five-level page tables only make the emulation slower. On a busy machine an emulated x86 CPU may
# find its clocks uneven, hence measurements at boot that are not made: they have been seen to hang,
# or to be wrong.
case $(lane_says arch) in
amd64)
	program=qemu-system-x86_64 board=q35 cpu=max,-la57 console=ttyS0
	processor_words=(no_timer_check tsc=reliable lpj=10000000)
	;;
arm64)
	program=qemu-system-aarch64 board=virt,gic-version=3 cpu=cortex-a76 console=ttyAMA0
	processor_words=()
	;;
*)
	echo "no virtual machine is known here for $(lane_says arch)" >&2
	exit 2
	;;
esac
case $mode in
# For heavy work: one CPU has nothing to agree upon with another one, and instructions that copy
# bytes are emulated byte by byte.
up)
	machine=(-accel "${WG_ACCEL:-tcg,thread=single}" -smp 1)
	[[ $board != q35 ]] || cpu+=,-erms,-fsrm
	;;
smp) machine=(-accel "${WG_ACCEL:-tcg,thread=multi}" -smp 2) ;;
smp4) machine=(-accel "${WG_ACCEL:-tcg,thread=multi}" -smp 4) ;;
# Guest time is the number of instructions, and idle time is skipped.
icount) machine=(-accel "tcg,thread=single" -icount "shift=0,sleep=off" -smp 1) ;;
# The kernel has to gather its own noise: for minutes after boot its random numbers are not ready,
# unless a program waits for them. With one CPU the log says that they are before anybody uses them.
unseeded)
	machine=(-accel "${WG_ACCEL:-tcg,thread=single}" -smp 1)
	[[ $board != q35 ]] || cpu+=,-rdrand,-rdseed
	WG_WORDS+=" random.trust_cpu=off random.trust_bootloader=off"
	;;
*)
	echo "unknown mode '$mode' (smp, smp4, unseeded, up, icount)" >&2
	exit 2
	;;
esac

# The files stay as they are while the guest runs, so it may keep all it has read ("always"):
# without that, starting a program costs it half a second.
/usr/libexec/virtiofsd --sandbox none --cache always --shared-dir /.guest --socket-path "$socket" --log-level error \
	>"$job/virtiofsd.log" 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null || true' EXIT
for _ in {1..100}; do
	[[ -S $socket ]] && break
	sleep 0.05
done

# oops=panic and panic=-1 with -no-reboot end the machine at the first oops. The log buffer must
# hold a test's debug messages. On a busy machine an emulated CPU may look stuck, hence the patient
# watchdogs.
words=(
	rootfstype=virtiofs root=rootfs rw init="$WG_TOP/tools/vm/init.sh" "wg_job=$job" "wg_folders=$WG_TOP:$WG_KERNEL"
	"console=$console" loglevel=6 oops=panic panic=-1 log_buf_len=16M
	watchdog_thresh=60 rcupdate.rcu_cpu_stall_timeout=120
	"${processor_words[@]}" "${WG_WORDS:-}"
)
# A processor that is not emulated tells its guest the rate itself.
if [[ $mode != icount && ! ${WG_ACCEL:-} && $board == q35 ]]; then
	rate=$(python3 -B "$WG_TOP/tools/vm/py/tsc.py")
	[[ ! $rate ]] || words+=("tsc_early_khz=$rate")
fi

wire=()
if [[ ${WG_WIRE:-} ]]; then
	read -r address server path <<<"$WG_WIRE"
	netdev=stream,id=wire,server=$server,addr.type=unix,addr.path=$path
	[[ $server == on ]] || netdev+=,reconnect-ms=200
	wire=(-netdev "$netdev" -device "virtio-net-pci,netdev=wire,mac=$address")
fi

cards=()
if [[ ${WG_CARDS:-} ]]; then
	for number in 1 2; do
		cards+=(
			-netdev "hubport,id=card$number,hubid=0" -device "pcie-root-port,id=port$number,chassis=$number"
			-device "$WG_CARDS,netdev=card$number,bus=port$number,mac=02:00:00:00:01:0$number"
		)
	done
fi

kernel=(-kernel "${WG_IMAGE:-$WG_KERNEL/vmlinux}" -append "${words[*]}")
machine_type=$board,memory-backend=memory
firmware=()
if [[ ${WG_UEFI:-} ]]; then
	machine_type+=,smm=on
	# The place where GRUB, as Debian signs it, looks for its commands.
	printf 'linux /vmlinuz %s\nboot\n' "${words[*]}" >/run/grub.cfg
	truncate -s 64M /run/esp
	mformat -i /run/esp -F ::
	mmd -i /run/esp ::EFI ::EFI/BOOT ::EFI/debian
	mcopy -i /run/esp "$WG_UEFI/shim.efi" ::EFI/BOOT/BOOTX64.EFI
	mcopy -i /run/esp "$WG_UEFI/grub.efi" ::EFI/BOOT/grubx64.efi
	mcopy -i /run/esp /run/grub.cfg ::EFI/debian/grub.cfg
	mcopy -i /run/esp "$WG_IMAGE" ::vmlinuz
	# The variables can only be changed by the firmware's own code.
	firmware=(
		-global "driver=cfi.pflash01,property=secure,value=on" -global ICH9-LPC.disable_s3=1
		-drive "if=pflash,format=raw,unit=0,file=$WG_UEFI/code.fd,readonly=on"
		-drive "if=pflash,format=raw,unit=1,file=$WG_UEFI/vars.fd"
		-drive "if=none,id=esp,format=raw,file=/run/esp" -device "virtio-blk-pci,drive=esp"
	)
	kernel=()
fi

monitor=()
[[ ! ${WG_MONITOR:-} ]] || monitor=(-qmp "unix:$WG_MONITOR,server=on,wait=off")

plugin=()
[[ ! ${WG_PLUGIN:-} ]] || plugin=(-plugin "$WG_PLUGIN")

"$program" -nodefaults -no-user-config -display none -no-reboot -nic none \
	-machine "$machine_type" "${firmware[@]}" -cpu "$cpu" "${machine[@]}" \
	-m "$memory" -object "memory-backend-memfd,id=memory,size=$memory,share=on" \
	-chardev "socket,id=share,path=$socket" -device vhost-user-fs-pci,chardev=share,tag=rootfs \
	"${kernel[@]}" "${wire[@]}" "${cards[@]}" "${monitor[@]}" "${plugin[@]}" "$@"
