#include "env/rcu_worker.h"

#include <gtest/gtest.h>

#include "env/fake_tree.h"

namespace nsb::env {
namespace {

TEST(RcuWorker, IsTheKernelsThreadOfThatName) {
    FakeTree tree;
    ASSERT_TRUE(tree.made());
    kernel_thread(tree, 15, "rcu_preempt", "0-3", 2);
    kernel_thread(tree, 16, "rcu_exp_par_gp_kthread_worker/0", "0-3", 2);
    EXPECT_FALSE(rcu_worker(tree.root()));
    kernel_thread(tree, 20, "rcu_exp_gp_kthread_worker", "0-3", 2, 0);  // somebody else's process
    EXPECT_FALSE(rcu_worker(tree.root()));
    kernel_thread(tree, 17, "rcu_exp_gp_kthr", "0-3", 2);  // cut, as comm may be
    const auto worker = rcu_worker(tree.root());
    ASSERT_TRUE(worker);
    EXPECT_EQ(worker->folder, "/proc/17/task/17");
    EXPECT_EQ(worker->allowed, "0-3");
    EXPECT_EQ(worker->cpu, "2");
    EXPECT_EQ(worker->started, 7U);
}

TEST(RcuWorker, HasAPlaceInWords) {
    FakeTree tree;
    ASSERT_TRUE(tree.made());
    EXPECT_EQ(rcu_worker_place(tree.root()), kUnknown);
    tree.file("/proc/2/comm", "kthreadd\n");
    EXPECT_EQ(rcu_worker_place(tree.root()), "none");
    kernel_thread(tree, 17, "rcu_exp_gp_kthread_worker", "0-3", 1);
    EXPECT_EQ(rcu_worker_place(tree.root()), "last on CPU 1 of 0-3");
    kernel_thread(tree, 17, "rcu_exp_gp_kthread_worker", "1", 1);
    EXPECT_EQ(rcu_worker_place(tree.root()), "CPU 1");
}

}  // namespace
}  // namespace nsb::env
