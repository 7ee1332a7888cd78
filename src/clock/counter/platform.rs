//! The counter of the one platform whose kernel says whether it is good: Linux on x86-64.

pub(super) use here::{count, is_steady, kernel_uses_it};

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod here {
    use std::arch::x86_64::{__cpuid, _rdtsc};

    /// Where the counter stands.
    #[inline]
    pub(in super::super) fn count() -> u64 {
        // SAFETY: every processor of this architecture has the instruction, and a kernel whose
        // clock is this counter lets processes use it.
        unsafe { _rdtsc() }
    }

    /// Whether it runs at one rate, whatever the processor does to save power.
    pub(in super::super) fn is_steady() -> bool {
        const POWER: u32 = 0x8000_0007;
        #[allow(unused_unsafe, reason = "safe in newer toolchains")]
        // SAFETY: every processor of this architecture has the instruction.
        let (last, power) = unsafe { (__cpuid(0x8000_0000).eax, __cpuid(POWER).edx) };
        last >= POWER && power & (1 << 8) != 0
    }

    /// Linux compares it with another clock and between processors, and drops it if it is wrong.
    pub(in super::super) fn kernel_uses_it() -> bool {
        let path = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
        std::fs::read_to_string(path).is_ok_and(|source| source.trim() == "tsc")
    }
}

#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
mod here {
    pub(in super::super) fn count() -> u64 {
        0
    }

    pub(in super::super) fn is_steady() -> bool {
        false
    }

    pub(in super::super) fn kernel_uses_it() -> bool {
        false
    }
}
