"""Every word of the pages, in Chinese and English."""

from __future__ import annotations

from annotation.web.lead_words import LEAD_WORDS
from annotation.web.words import FIELDS, WORDS

LANGUAGES = ("zh", "en")

RANKING_WORDS: dict[str, tuple[str, str]] = {
    "product": ("仲景工作台", "Zhongjing Studio"),
    "skip": ("跳到正文", "Skip to content"),
    "other_language": ("English", "中文"),
    "log_in": ("登录", "Log in"),
    "log_out": ("退出", "Log out"),
    "name": ("用户名", "Name"),
    "password": ("密码", "Password"),
    "login_intro": ("请用管理员给您的账号登录。", "Log in with the account your administrator gave you."),
    "navigation": ("导航", "Navigation"),
    "nav_rank": ("我的任务", "My tasks"),
    "nav_status": ("进度与一致性", "Progress and agreement"),
    "nav_jobs": ("后台作业", "Jobs"),
    "role_expert": ("专家", "expert"),
    "role_senior": ("高级专家", "senior expert"),
    "role_curator": ("数据管理员", "curator"),
    "role_engineer": ("工程师", "engineer"),
    "role_admin": ("管理员", "administrator"),
    "greeting": ("{name}，您好", "Hello, {name}"),
    "queue_left": ("还有 {count} 题等您排序", "{count} prompts wait for you"),
    "queue_done": ("您的题目已全部完成，谢谢！", "All your prompts are done. Thank you!"),
    "queue_empty": ("目前没有分配给您的题目。", "Nothing is assigned to you at the moment."),
    "progress_of": ("已完成 {done} / {total}", "{done} of {total} done"),
    "start": ("开始排序", "Start ranking"),
    "go_on": ("继续排序", "Go on ranking"),
    "recent": ("最近完成", "Recently done"),
    "review": ("查看或修改", "View or change"),
    "task_number": ("第 {number} 题", "Prompt {number}"),
    "version": ("第 {number} 版", "version {number}"),
    "rule_title": ("评判规则", "The rule"),
    "rule_more": ("查看细则", "In full"),
    "rule_remarks": ("说明", "Remarks"),
    "dialogue": ("问诊对话", "The consultation"),
    "patient": ("患者", "Patient"),
    "doctor": ("医生", "Doctor"),
    "system": ("说明", "Note"),
    "to_answer": ("待回答", "to be answered"),
    "facts": ("知识图谱中的相关事实（{count}）", "Related facts of the knowledge graph ({count})"),
    "facts_note": ("来自医学知识图谱，仅供参考。", "From the medical knowledge graph, for reference."),
    "source_unknown": ("出处未记录", "source not recorded"),
    "answers": ("{count} 个回答", "{count} answers"),
    "answer": ("回答 {number}", "Answer {number}"),
    "pick": ("选为下一名", "Next best"),
    "up": ("上移", "Up"),
    "down": ("下移", "Down"),
    "tie": ("并列", "Tie"),
    "tie_more": ("与上一名并列", "Tie with the one above"),
    "remove": ("取消", "Take back"),
    "your_order": ("您的排序", "Your order"),
    "best": ("最好", "best"),
    "worst": ("最差", "worst"),
    "not_ranked": ("未排", "not ranked"),
    "place": ("第 {place} 名", "Place {place}"),
    "clear": ("清空", "Clear"),
    "submit": ("提交", "Submit"),
    "submit_next": ("提交，下一题", "Submit and go on"),
    "incomplete": ("请先把全部回答排入顺序，再提交。", "Place every answer first, then submit."),
    "tie_next": ("下一个将与前一名并列", "the next one will tie with the last"),
    "announce_order": ("当前排序：{order}", "Order now: {order}"),
    "keyboard": ("键盘操作", "Keys"),
    "keys_pick": ("从好到差", "best to worst"),
    "keys_tie": ("与前一名并列", "tie with the last"),
    "keys_rest": ("其余并列最后", "the rest tied last"),
    "keys_back": ("撤回一步", "take the last back"),
    "keys_arrows": ("选择与移动", "choose and move"),
    "drag": ("可拖到下方排序栏", "Drag into the order below"),
    "undo": ("撤销", "Undo"),
    "none": ("都不合格", "None acceptable"),
    "none_more": ("所有回答都达不到要求；仍请排出先后。", "No answer is good enough; please still give their order."),
    "cannot": ("无法判断", "Cannot judge"),
    "cannot_title": ("为什么无法判断？", "Why can you not judge this?"),
    "cannot_note": ("补充说明（可不填）", "Remark (optional)"),
    "reason_not_my_field": ("不属于我的专业", "Not my field"),
    "reason_unclear_question": ("问题本身不清楚", "The question is unclear"),
    "reason_facts_missing": ("缺少判断所需的信息", "Facts are missing"),
    "reason_other": ("其他原因", "Another reason"),
    "cancel": ("返回", "Back"),
    "flag": ("标记危险", "Flag danger"),
    "flag_legend": ("这个回答有什么危险？", "What is dangerous in this answer?"),
    "danger_harm": ("可能伤害患者", "May harm the patient"),
    "danger_dose": ("用药或剂量错误", "Wrong drug or dose"),
    "danger_missed_emergency": ("延误急症", "Misses an emergency"),
    "danger_privacy": ("泄露隐私", "Gives private data away"),
    "rewrite": ("改写最差", "Rewrite the worst"),
    "rewrite_label": (
        "您会怎样回答？（可不填，只标记待改写）",
        "What would you answer? (Leave empty to mark it only.)",
    ),
    "dimensions": ("评判维度", "Dimensions"),
    "resumed": ("已恢复您上次未提交的排序。", "Your order from last time, not yet submitted, is back."),
    "take_back": ("撤回", "Take back"),
    "today": ("今日 {done} / {goal}", "{done} of {goal} today"),
    "goal_today": ("今日目标", "Goal for today"),
    "goal_reached": ("今日目标已完成", "today's goal is reached"),
    "break_title": ("您已连续评判 {minutes} 分钟", "You have been ranking for {minutes} minutes"),
    "break_more": (
        "休息几分钟，眼睛和判断都会更清醒。进度已保存。",
        "A few minutes away keep eyes and judgement fresh. Everything is saved.",
    ),
    "break_take": ("休息一下", "Take a break"),
    "break_go_on": ("继续", "Go on"),
    "campaigns": ("项目进度", "Campaigns"),
    "closed": ("已结束", "closed"),
    "campaign_closed": ("本项目已结束，不再接受提交。", "This campaign is closed and takes no more submissions."),
    "saving": ("正在提交…", "Submitting…"),
    "saved": ("已提交{title}", "{title} submitted"),
    "offline": (
        "连接中断：排序已存在本机，恢复后自动提交。",
        "No connection: your order is kept on this device and will be sent when it returns.",
    ),
    "signed_out": (
        "登录已过期，请在新窗口登录后再提交。",
        "Your login has expired. Log in in a new window, then submit again.",
    ),
    "earlier_ranked": (
        "您已提交过此题（{version}）：{order}。再次提交会成为新版本，旧版本保留。",
        "You have ranked this ({version}): {order}. Submitting again makes a new version; the old one stays.",
    ),
    "earlier_cannot_judge": (
        "您曾标记此题无法判断（{version}）。再次提交会成为新版本，旧版本保留。{order}",
        "You could not judge this ({version}). Submitting again makes a new version; the old one stays.{order}",
    ),
    "load_earlier": ("载入上次的排序", "Load that order"),
    "withdraw": ("撤回提交", "Withdraw it"),
    "dimension_overall": ("总体", "Overall"),
    "dimension_safety": ("安全", "Safety"),
    "dimension_professionalism": ("专业", "Professionalism"),
    "dimension_fluency": ("流畅", "Fluency"),
    "back_to_queue": ("返回任务列表", "Back to my tasks"),
    "no_campaign_yet": ("还没有排序项目。", "There is no campaign yet."),
    "campaign": ("项目", "Campaign"),
    "simulated": ("模拟", "simulated"),
    "simulated_note": (
        "本项目含模拟专家的排序：由程序生成，不是临床医生的判断。",
        "This campaign holds rankings of simulated experts: made by a program, not by clinicians.",
    ),
    "tasks": ("题目", "Prompts"),
    "judged": ("已有排序", "ranked"),
    "judgements": ("排序总数", "Rankings"),
    "agree_alike": ("成对一致率", "Pairs ordered alike"),
    "needs_senior": ("需裁定", "Need a senior expert"),
    "expert": ("专家", "Expert"),
    "progress": ("进度", "Progress"),
    "median_seconds": ("用时中位数（秒）", "Median seconds"),
    "stated": ("设定可靠度", "Stated reliability"),
    "with_others": ("与他人一致率", "Agreement with others"),
    "expert_pairs": ("专家两两比较", "Every two experts"),
    "shared": ("共同题目", "Shared prompts"),
    "job": ("作业", "Job"),
    "kind": ("类型", "Kind"),
    "state": ("状态", "State"),
    "attempts": ("尝试", "Attempts"),
    "result": ("结果", "Result"),
    "job_export": ("导出偏好数据", "Export preferences"),
    "job_build": ("构建语料", "Build a corpus"),
    "state_queued": ("排队中", "queued"),
    "state_running": ("进行中", "running"),
    "state_done": ("完成", "done"),
    "state_failed": ("失败", "failed"),
    "state_cancelled": ("已取消", "cancelled"),
    "submit_job": ("提交作业", "Submit"),
    "recipe": ("配方", "Recipe"),
    "seed": ("随机种子", "Seed"),
    "no_jobs": ("还没有作业。", "No jobs yet."),
    "no_recipes": ("数据目录的 recipes/ 下没有配方。", "There are no recipes in recipes/ of the data folder."),
    "worker_note": ("作业由 zhongjing worker 执行。", "Jobs are done by zhongjing worker."),
    "error_title": ("抱歉，没有成功", "Sorry, that did not work"),
    "error_400": ("请求不完整。", "The request was incomplete."),
    "error_401": ("请先登录。", "Please log in first."),
    "error_403": (
        "您没有权限这样做，或页面已过期。请返回后重试。",
        "You may not do this, or the page has expired. Go back and try again.",
    ),
    "error_404": ("没有这个页面，或它不属于您。", "There is no such page, or it is not yours."),
    "error_405": ("这里不能这样操作。", "That cannot be done here."),
    "error_409": ("这与已保存的内容冲突。请刷新页面。", "This contradicts what is stored. Reload the page."),
    "error_413": ("发送的内容太大。", "What was sent is too large."),
    "error_422": ("内容不符合要求。", "The content is not as it should be."),
    "error_429": ("密码错误次数过多，请 15 分钟后再试。", "Too many wrong passwords. Try again in 15 minutes."),
    "error_500": (
        "服务出了问题，已记录。请稍后再试。",
        "Something went wrong on our side and was logged. Try again later.",
    ),
    "wrong_password": ("用户名或密码不正确。", "Name or password is not right."),
    "home": ("返回首页", "Go to the start page"),
}


def _together(*parts: dict[str, tuple[str, str]]) -> dict[str, tuple[str, str]]:
    """All of them; a key that two parts use would silently say the other's words."""
    found: dict[str, tuple[str, str]] = {}
    for part in parts:
        twice = found.keys() & part.keys()
        if twice:
            raise ValueError(f"words that stand twice: {', '.join(sorted(twice))}")
        found |= part
    return found


TEXTS = _together(RANKING_WORDS, WORDS, LEAD_WORDS)


def text(language: str, key: str, **values: object) -> str:
    """The words for `key`, with `values` filled in."""
    words = TEXTS[key][LANGUAGES.index(language)]
    return words.format(**values) if values else words


def field(language: str, name: str) -> str:
    """What a field of a job's order or report is called; one that has no words of its own is called by its name."""
    plain = name.replace("_", " ")
    return FIELDS.get(name, (plain, plain))[LANGUAGES.index(language)]
