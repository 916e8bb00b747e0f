"""Causes of a delay with their effects, faults of a product with their reasons and remedies."""

from demo.world.shapes import Lang

CAUSES: dict[Lang, tuple[tuple[str, str], ...]] = {
    "en": (
        ("a storm", "The roads are closed, so please allow 2 more days"),
        ("a customs check", "It is held at the border, so please allow 5 more days"),
        ("a public holiday", "The depot is shut, so please allow 1 more day"),
        ("a drivers' strike", "No van is leaving, so please allow 4 more days"),
        ("a wrong postcode", "It went to another town, so we send it again for free"),
        ("a flooded depot", "The goods got wet, so we replace them for free"),
        ("a broken van", "It waits for another driver, so please allow 3 more days"),
        ("a missing label", "Nobody can read the address, so please confirm it to us"),
        ("a stolen van", "The parcel is lost, so we refund you in full"),
        ("an unpaid duty", "The border keeps it, so please pay the duty online"),
    ),
    "zh": (
        ("暴风雨", "道路已经封闭，请再等2天"),
        ("海关检查", "包裹留在口岸，请再等5天"),
        ("公共假期", "仓库休息，请再等1天"),
        ("司机罢工", "没有车辆出发，请再等4天"),
        ("邮编错误", "包裹去了别的城市，我们免费重新寄送"),
        ("仓库进水", "商品已经受潮，我们免费更换"),
        ("货车故障", "正在等待另一位司机，请再等3天"),
        ("标签丢失", "无法看清地址，请向我们确认地址"),
        ("货车被盗", "包裹已经遗失，我们全额退款"),
        ("关税未付", "口岸不予放行，请在网上缴纳关税"),
    ),
}
FAULTS: dict[Lang, tuple[tuple[str, str, str], ...]] = {
    "en": (
        ("does not switch on", "its battery is empty", "charge it for 3 hours"),
        ("gets too hot", "its air vents are blocked", "clean them with a dry brush"),
        ("makes a loud noise", "a screw has come loose", "tighten it with a screwdriver"),
        ("smells of smoke", "the cable is burnt", "unplug it and send it to us"),
        ("stops after a minute", "the safety lock is open", "close the lid until it clicks"),
        ("blinks red", "the software is out of date", "install the update"),
        ("loses its settings", "the memory cell is worn out", "ask us for a new cell"),
        ("has a cracked case", "it was dropped on the way", "return it for a new one"),
        ("leaks water", "the seal is in the wrong place", "press the seal back in"),
        ("cannot be connected", "the pairing mode is off", "hold the button for 5 seconds"),
    ),
    "zh": (
        ("无法开机", "是因为电池没电了", "充电3小时"),
        ("温度过高", "是因为散热孔被堵住了", "用干刷子清理"),
        ("声音很大", "是因为螺丝松了", "用螺丝刀拧紧"),
        ("有烧焦的味道", "是因为电线烧坏了", "拔掉插头并寄回给我们"),
        ("一分钟后就停止", "是因为安全锁没有关好", "把盖子按到发出响声"),
        ("闪红灯", "是因为软件太旧", "安装更新"),
        ("记不住设置", "是因为记忆电池用完了", "向我们要一块新电池"),
        ("外壳有裂纹", "是因为运输途中摔过", "退回换新"),
        ("漏水", "是因为密封圈位置不对", "把密封圈重新压好"),
        ("连接不上", "是因为配对模式没有打开", "按住按钮5秒"),
    ),
}
