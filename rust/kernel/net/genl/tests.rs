// SPDX-License-Identifier: GPL-2.0

//! Tests of families and commands.

use super::{
    command::start_callback,
    *, //
};
use crate::{
    bindings::netlink_callback,
    context::Process,
    module, //
};
use core::mem::MaybeUninit;
use kernel::prelude::*;

#[kernel::macros::kunit_tests(kext_genl)]
mod tests {
    use super::*;

    struct Nothing;

    static POLICY: Policy<2> = Policy::new().u32(1);

    impl Do for Nothing {
        const COMMAND: u8 = 3;
        const POLICY: PolicyRef = POLICY.as_ref();
        const PERMISSION: Permission = Permission::NetAdmin;

        fn execute(_: &Request<'_>, _: &mut Process) -> Result {
            Ok(())
        }
    }

    impl Dump for Nothing {
        const COMMAND: u8 = 3;
        const POLICY: PolicyRef = POLICY.as_ref();
        const PERMISSION: Permission = Permission::NetAdmin;

        type Ctx = u64;

        fn start(_: &Request<'_>, _: &mut u64, _: &mut Process) -> Result {
            Ok(())
        }

        fn dump(
            _: &Request<'_>,
            _: &mut u64,
            _: &mut DumpWriter<'_>,
            _: &mut Process,
        ) -> Result<DumpStatus> {
            Ok(DumpStatus::Done)
        }
    }

    static FAMILY: Family = Family::new(
        c"kext-test",
        1,
        &[Command::new_do::<Nothing>(), Command::new_dump::<Nothing>()],
        &[
            MulticastGroup::new(c"open", Permission::Anyone),
            MulticastGroup::new(c"closed", Permission::NetAdmin),
        ],
    );

    #[test]
    fn no_dump_begins_before_the_module_has() {
        let mut cb = MaybeUninit::<netlink_callback>::zeroed();
        let code = module::while_not_started(|| {
            // SAFETY: The callback refuses before it uses its argument.
            unsafe { start_callback::<Nothing>(cb.as_mut_ptr()) }
        });
        assert_eq!(code, EBUSY.to_errno());
    }

    #[test]
    fn families_are_for_all_namespaces() {
        // SAFETY: The family is not registered, so no other code changes it.
        let family = unsafe { &*FAMILY.as_raw() };
        assert_eq!(family.netnsok(), 1);
        assert_eq!(family.parallel_ops(), 0);
        assert_eq!(family.n_split_ops, 2);
        assert_eq!(family.n_mcgrps, 2);
    }

    #[test]
    fn a_group_says_who_may_listen() {
        // SAFETY: The family is not registered, so no other code changes it.
        let family = unsafe { &*FAMILY.as_raw() };
        let flags = |group: usize| {
            // SAFETY: There are two groups.
            unsafe { (*family.mcgrps.add(group)).flags }
        };
        assert_eq!(flags(0), 0);
        assert_eq!(flags(1), crate::bindings::CONST_GENL_MCAST_CAP_NET_ADMIN);
    }

    #[test]
    fn commands_come_in_the_order_of_the_core() {
        let (execute, dump) = (Command::new_do::<Nothing>(), Command::new_dump::<Nothing>());
        assert!(dump.may_follow(&execute));
        assert!(!execute.may_follow(&dump));
        assert!(!execute.may_follow(&execute));
    }
}
